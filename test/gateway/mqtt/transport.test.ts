// What the gateway relies on of a TCP connection, held against both kinds: sockets of node:net, and the
// handles beneath them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { TcpTransport } from '../../../gateway/mqtt/tcp.ts'
import { acceptHandles, type HandleTransport } from '../../../gateway/mqtt/tcp-handle.ts'
import type { TransportUser } from '../../../gateway/mqtt/transport.ts'
import { withDeadline } from '../../support/deadline.ts'
import { listening, RawClient } from './harness.ts'

type Transport = TcpTransport | HandleTransport

/** Has a server's connections come as one kind of transport. */
const KINDS: Readonly<Record<string, (server: Server, accept: (transport: Transport) => void) => void>> = {
  sockets: (server, accept) => server.on('connection', socket => accept(new TcpTransport(socket))),
  handles: (server, accept) => {
    server.on('connection', () => assert.fail('made a socket'))
    assert.equal(acceptHandles(server, accept), true)
  }
}

/** Keeps all that a transport tells. */
class User implements TransportUser {
  readonly transport: Transport
  readonly chunks: Buffer[] = []
  bytes = 0
  writables = 0
  ends = 0
  closes = 0
  error: Error | undefined
  #changed: () => void = () => {}

  constructor(transport: Transport) {
    this.transport = transport
    transport.open(this)
  }

  onData(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.bytes += chunk.length
    this.#changed()
  }

  onWritable(): void {
    assert.equal(this.transport.writable, true)
    this.writables++
    this.#changed()
  }

  onEnd(): void {
    this.ends++
    this.#changed()
  }

  onClose(error?: Error): void {
    this.closes++
    this.error = error
    this.#changed()
  }

  async until(what: string, is: () => boolean): Promise<void> {
    while (!is()) {
      const changed = new Promise<void>(resolve => {
        this.#changed = resolve
      })
      await withDeadline(changed, what)
    }
  }
}

class Bench {
  readonly #port: number
  readonly #accepted: User[] = []
  #arrived: () => void = () => {}

  private constructor(port: number) {
    this.#port = port
  }

  static async open(t: TestContext, kind: string): Promise<Bench> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const bench = new Bench((server.address() as AddressInfo).port)
    KINDS[kind]!(server, transport => {
      const user = new User(transport)
      t.after(() => transport.destroy())
      bench.#accepted.push(user)
      bench.#arrived()
    })
    return bench
  }

  /** Both ends of a new connection. */
  async pair(t: TestContext): Promise<{ client: Socket; user: User }> {
    const client = connect({ port: this.#port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    client.on('error', () => {})
    t.after(() => client.destroy())
    await once(client, 'connect')
    while (this.#accepted.length === 0) {
      const arrived = new Promise<void>(resolve => {
        this.#arrived = resolve
      })
      await withDeadline(arrived, 'the connection')
    }
    return { client, user: this.#accepted.shift()! }
  }
}

/** Bytes that say where they stand. */
function pattern(bytes: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => seed + i * 31 + (i >> 8)))
}

/** All that a socket reads until the other end has ended. */
async function allOf(client: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  client.on('data', chunk => chunks.push(chunk))
  await withDeadline(once(client, 'end'), 'the end')
  return Buffer.concat(chunks)
}

for (const kind of Object.keys(KINDS)) {
  describe(`a transport over ${kind}`, () => {
    test('chunks stay as they came, whatever other connections read meanwhile', async t => {
      const bench = await Bench.open(t, kind)
      const pairs = [await bench.pair(t), await bench.pair(t), await bench.pair(t)]
      const writes = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 100_000 })), { maxLength: 20 })
      await fc.assert(
        fc.asyncProperty(writes, async plan => {
          const sent: Buffer[][] = pairs.map(() => [])
          for (const { user } of pairs) user.chunks.length = user.bytes = 0
          for (const [to, bytes] of plan) {
            const piece = pattern(bytes, sent[to]!.length)
            sent[to]!.push(piece)
            pairs[to]!.client.write(piece)
          }
          for (const [i, { user }] of pairs.entries()) {
            const expected = Buffer.concat(sent[i]!)
            await user.until('all bytes', () => user.bytes === expected.length)
            assert.ok(Buffer.concat(user.chunks).equals(expected))
          }
        }),
        { numRuns: 20 }
      )
    })

    test('what is written arrives whole and in order, and writable turns false and true again', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      const sent: Buffer[] = []
      // The client does not read: the kernel's buffers fill.
      while (user.transport.writable) {
        sent.push(pattern(200_000, sent.length))
        user.transport.write(sent.at(-1)!)
      }
      for (let i = 0; i < 3; i++) {
        sent.push(pattern(1_000, i))
        user.transport.write(sent.at(-1)!)
      }
      assert.equal(user.writables, 0)
      const received = allOf(client)
      await user.until('writable', () => user.transport.writable)
      assert.equal(user.writables, 1)
      sent.push(Buffer.from('last'))
      user.transport.write(sent.at(-1)!)
      assert.equal(user.transport.writable, true)
      user.transport.end()
      assert.ok((await received).equals(Buffer.concat(sent)))
    })

    test('a paused transport stops reading, so that the client can send no more', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      user.transport.pause()
      let sent = 0
      const piece = pattern(200_000, 1)
      for (let isTaken = true; isTaken || client.writableLength < 8_000_000; sent += piece.length) {
        isTaken = client.write(piece)
      }
      // Loopback would have carried all of it by the time that another connection has been there and back.
      const other = await bench.pair(t)
      other.client.write('x')
      await other.user.until('other input', () => other.user.bytes === 1)
      assert.ok(user.bytes <= 65_536 * 2, `${user.bytes} bytes were read`)
      user.transport.resume()
      await user.until('the rest', () => user.bytes === sent)
      user.transport.pause()
      user.transport.resume()
      client.write('y')
      await user.until('one more', () => user.bytes === sent + 1)
    })

    test('the client ends first: it still gets what is written, much or little, and then the end', async t => {
      const bench = await Bench.open(t, kind)
      for (const much of [pattern(10, 1), pattern(8_000_000, 1)]) {
        const { client, user } = await bench.pair(t)
        client.end('goodbye')
        await user.until('the end', () => user.ends === 1)
        assert.equal(Buffer.concat(user.chunks).toString(), 'goodbye')
        assert.equal(user.closes, 0)
        user.transport.write(much)
        user.transport.end()
        assert.ok((await allOf(client)).equals(much))
        await user.until('the close', () => user.closes === 1)
        assert.equal(user.error, undefined)
        assert.equal(user.ends, 1)
      }
    })

    test('the transport ends first: all that was written is sent, and it closes when the client has ended', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      const much = pattern(8_000_000, 3)
      user.transport.write(much)
      user.transport.end()
      user.transport.end()
      user.transport.write(Buffer.from('too late'))
      assert.ok((await allOf(client)).equals(much))
      assert.equal(user.closes, 0)
      client.end()
      await user.until('the close', () => user.closes === 1)
      assert.equal(user.error, undefined)
    })

    test('a paused transport that ends still notices that the client has ended', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      user.transport.pause()
      client.write('more input')
      await user.until('input or nothing', () => true)
      user.transport.end()
      user.transport.resume()
      client.resume()
      client.end()
      await user.until('the close', () => user.closes === 1)
    })

    test('destroy closes at once, tells it once, and nothing is told or done after it', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      client.resume()
      const closed = once(client, 'close')
      client.on('end', () => client.end())
      user.transport.write(Buffer.from('x'))
      user.transport.destroy()
      assert.equal(user.closes, 0, 'not from within the call')
      user.transport.write(Buffer.from('y'))
      user.transport.pause()
      user.transport.resume()
      user.transport.end()
      user.transport.destroy()
      await user.until('the close', () => user.closes === 1)
      await withDeadline(closed, 'the close at the client')
      assert.equal(user.ends, 0)
      assert.equal(user.closes, 1)
    })

    test('a client that resets the connection closes it, with an error', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      client.resetAndDestroy()
      await user.until('the close', () => user.closes === 1)
      assert.equal((user.error as NodeJS.ErrnoException).code, 'ECONNRESET')
    })

    test('a reset while output waits closes it too', async t => {
      const bench = await Bench.open(t, kind)
      const { client, user } = await bench.pair(t)
      while (user.transport.writable) user.transport.write(pattern(200_000, 0))
      client.resetAndDestroy()
      await user.until('the close', () => user.closes === 1)
      assert.equal(user.writables, 0)
      assert.ok(user.error instanceof Error)
    })

    test('the address of the other end is known while it is open', async t => {
      const bench = await Bench.open(t, kind)
      const { user } = await bench.pair(t)
      assert.equal(user.transport.remoteAddress, '127.0.0.1')
    })
  })
}

test('where Node does not give its handles away, connections are sockets', async t => {
  const server = createServer()
  assert.equal(
    acceptHandles(server, () => assert.fail('not listening')),
    false
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const listening = (
    server as unknown as { _handle: { onconnection: (status: number, handle: unknown) => void } }
  )._handle
  const { onconnection } = listening
  let accepted = 0
  assert.equal(
    acceptHandles(server, () => {
      accepted++
    }),
    true
  )
  // A handle without what is needed, as another Node may have it.
  const strip = listening.onconnection
  listening.onconnection = function (status, handle) {
    const writeBuffer = { value: undefined }
    Object.setPrototypeOf(handle, Object.create(Object.getPrototypeOf(handle), { writeBuffer }))
    strip.call(this, status, handle)
  }
  assert.notEqual(strip, onconnection)
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.after(() => client.destroy())
  const [socket] = (await withDeadline(once(server, 'connection'), 'a socket')) as [Socket]
  socket.destroy()
  assert.equal(accepted, 0)
})

for (const handles of [true, false]) {
  test(`a listener ${handles ? 'on handles' : 'on sockets'} serves clients`, async t => {
    const { port } = await listening(t, { handles })
    const subscriber = await RawClient.connected(t, port, 5)
    await subscriber.subscribe('t', 1)
    const publisher = await RawClient.connected(t, port, 4)
    const payload = pattern(300_000, 1)
    publisher.send({ cmd: 'publish', topic: 't', payload, qos: 1, messageId: 1, dup: false, retain: false })
    assert.deepEqual((await subscriber.expect('publish')).payload, payload)
    assert.equal((await publisher.expect('puback')).messageId, 1)
  })
}
