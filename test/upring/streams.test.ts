// Streams in requests and replies, across links and on one node: they end, fail and are destroyed at both ends alike.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Duplex, PassThrough, Readable, Transform, Writable } from 'node:stream'
import { test } from 'node:test'
import type { ReceivedStreams } from '../../broker/upring.ts'
import { type RingNode, Rings } from './rings.ts'

interface WithStreams {
  readonly streams: ReceivedStreams
}

async function collect(stream: Readable): Promise<unknown[]> {
  const chunks: unknown[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

async function textOf(stream: Readable): Promise<string> {
  return Buffer.concat((await collect(stream)) as Buffer[]).toString()
}

/** How a stream ends: 'ended', or the code of its error. Never rejects. */
function endOf(stream: Readable | Writable): Promise<string> {
  return new Promise(resolve => {
    stream.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message))
    stream.on('end', () => resolve('ended'))
    stream.on('finish', () => resolve('ended'))
    stream.on('close', () => resolve('closed'))
    if (stream instanceof Readable) stream.resume()
  })
}

/** A ring of two, and what a request to either of them is called. */
async function two(seed: number): Promise<{ rings: Rings; asker: RingNode; owners: RingNode[] }> {
  const rings = await Rings.started(seed, 2)
  return { rings, asker: rings.at(0), owners: rings.all }
}

const LONG = 'what is long enough to need credit '.repeat(10_000)

test('a readable stream of a reply is read by who asked', async () => {
  const { rings, asker, owners } = await two(1)
  for (const { upring } of owners) {
    upring.add('bytes', async () => ({ streams: { out: Readable.from([Buffer.from(LONG)]) } }))
    upring.add('objects', async () => ({ streams: { out: Readable.from([{ a: 1 }, { b: [2] }, 'c']) } }))
  }
  for (const owner of owners) {
    const key = rings.keyOf(owner)
    const bytes = await rings.settle(asker.upring.request<WithStreams>({ cmd: 'bytes', key }))
    assert.equal(await rings.settle(textOf(bytes.streams['out']!)), LONG)
    const objects = await rings.settle(asker.upring.request<WithStreams>({ cmd: 'objects', key }))
    assert.deepEqual(await rings.settle(collect(objects.streams['out']!)), [{ a: 1 }, { b: [2] }, 'c'])
  }
})

test('a readable stream of a request is read by its handler, and a writable one written', async () => {
  const { rings, asker, owners } = await two(2)
  for (const { upring } of owners) {
    upring.add<WithStreams>('upper', async ({ streams }) => {
      const text = await textOf(streams['in']!)
      streams['out']!.end(text.toUpperCase())
      return { length: text.length }
    })
  }
  for (const owner of owners) {
    let text = ''
    const out = new Writable({
      write: (chunk, _encoding, done) => {
        text += chunk
        done()
      }
    })
    const finished = once(out, 'finish')
    const request = {
      cmd: 'upper',
      key: rings.keyOf(owner),
      streams: { in: Readable.from([Buffer.from(LONG)]), out }
    }
    const reply = await rings.settle(asker.upring.request(request))
    assert.deepEqual(reply, { length: LONG.length })
    await rings.settle(finished)
    assert.equal(text, LONG.toUpperCase())
  }
})

test('a duplex and a transform work in both directions at once', async () => {
  const { rings, asker, owners } = await two(3)
  for (const { upring } of owners) {
    upring.add('double', async () => {
      const double = new Transform({
        objectMode: true,
        transform: (chunk: number, _encoding, done) => done(null, chunk * 2)
      })
      return { streams: { double } }
    })
  }
  for (const owner of owners) {
    const request = { cmd: 'double', key: rings.keyOf(owner) }
    const { streams } = await rings.settle(asker.upring.request<WithStreams>(request))
    const double = streams['double']!
    const read = collect(double)
    for (let i = 1; i <= 100; i++) double.write(i)
    double.end()
    assert.deepEqual(
      await rings.settle(read),
      Array.from({ length: 100 }, (_, i) => (i + 1) * 2)
    )
  }
})

test('an error at one end is an error at the other', async () => {
  const { rings, asker, owners } = await two(4)
  for (const { upring } of owners) {
    upring.add('broken', async () => {
      const out = new Readable({ read() {} })
      out.push('some')
      rings.simulation.after(1, () => out.destroy(new Error('disk on fire')))
      return { streams: { out } }
    })
  }
  for (const owner of owners) {
    const request = { cmd: 'broken', key: rings.keyOf(owner) }
    const { streams } = await rings.settle(asker.upring.request<WithStreams>(request))
    const end = await rings.settle(endOf(streams['out']!))
    assert.notEqual(end, 'ended')
  }
})

test('what the reader destroys is destroyed at the writer', async () => {
  const { rings, asker, owners } = await two(5)
  const written: Readable[] = []
  for (const { upring } of owners) {
    upring.add('endless', async () => {
      const out = new Readable({
        read() {
          this.push('more')
        }
      })
      written.push(out)
      return { streams: { out } }
    })
  }
  for (const [index, owner] of owners.entries()) {
    const request = { cmd: 'endless', key: rings.keyOf(owner) }
    const { streams } = await rings.settle(asker.upring.request<WithStreams>(request))
    const out = streams['out']!
    const closed = new Promise(resolve => written[index]!.once('close', resolve))
    out.once('data', () => out.destroy())
    await rings.settle(closed)
    assert(written[index]!.destroyed)
  }
})

test('when a peer dies in the middle of streams, both ends are told', async () => {
  const rings = await Rings.started(6, 3)
  const [asker, owner] = [rings.at(0), rings.at(1)]
  const atOwner: Promise<string>[] = []
  owner.upring.add<WithStreams>('both', ({ streams }, reply) => {
    atOwner.push(endOf(streams['up']!))
    reply(null, { streams: { down: new Readable({ read() {} }) } })
  })
  const up = new PassThrough()
  const ends = [endOf(up)]
  up.write('some')
  const request = { cmd: 'both', key: rings.keyOf(owner), streams: { up } }
  const reply = await rings.settle(asker.upring.request<WithStreams>(request))
  ends.push(endOf(reply.streams['down']!))
  rings.crash(owner)
  for (const end of ends) assert.equal(await rings.settle(end), 'STREAM_ABORTED')
})

test('when the asker dies in the middle of streams, the handler is told', async () => {
  const rings = await Rings.started(7, 3)
  const [asker, owner] = [rings.at(0), rings.at(1)]
  const down = new Readable({ read() {} })
  let up: Promise<string> | null = null
  owner.upring.add<WithStreams>('both', async ({ streams }) => {
    up = endOf(streams['up']!)
    return { streams: { down } }
  })
  const request = { cmd: 'both', key: rings.keyOf(owner), streams: { up: new PassThrough() } }
  await rings.settle(asker.upring.request(request))
  rings.crash(asker)
  assert.equal(await rings.settle(up!), 'STREAM_ABORTED')
  await rings.settle(down.destroyed ? Promise.resolve() : once(down, 'close').catch(() => {}))
  assert(down.destroyed)
})

test('when a node closes, streams from it and to it end or fail, and a new request goes to the next owner', async () => {
  const rings = await Rings.started(8, 3)
  const [owner, asker] = [rings.at(0), rings.at(1)]
  for (const { upring } of rings.all) {
    upring.add<WithStreams>('subscribe', ({ streams }, reply) => {
      streams['messages']!.write({ from: upring.whoami() })
      reply()
    })
  }
  const key = rings.keyOf(owner)
  const listen = async (): Promise<{ from: unknown[]; end: Promise<string> }> => {
    const from: unknown[] = []
    const messages = new Writable({
      objectMode: true,
      write: (message, _encoding, done) => {
        from.push(message.from)
        done()
      }
    })
    await rings.settle(asker.upring.request({ cmd: 'subscribe', key, streams: { messages } }))
    await rings.simulation.until(() => from.length > 0, 1000)
    return { from, end: endOf(messages) }
  }
  const { from, end } = await listen()
  assert.deepEqual(from, [owner.upring.whoami()])
  await rings.leave(owner)
  assert.equal(await rings.settle(end), 'STREAM_ABORTED')
  assert.notDeepEqual((await listen()).from, from)
})

test('a request that fails takes its streams with it, here and elsewhere', async () => {
  const { rings, asker, owners } = await two(9)
  for (const { upring } of owners) upring.add('refuse', (_request, reply) => reply(new Error('no')))
  for (const owner of owners) {
    for (const cmd of ['refuse', 'nothing of the kind']) {
      const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
      const request = { cmd, key: rings.keyOf(owner), streams: { stream } }
      await rings.rejection(asker.upring.request(request))
      await rings.now()
      assert(stream.destroyed)
    }
  }
})

test('a reader that stops, stops its writer and nobody else', async () => {
  const { rings, asker, owners } = await two(10)
  let written = 0
  for (const { upring } of owners) {
    upring.add('flood', async () => {
      const out = new Readable({
        highWaterMark: 1,
        objectMode: true,
        read() {
          this.push({ number: ++written })
        }
      })
      return { streams: { out } }
    })
    upring.add('list', async () => ({ streams: { out: Readable.from([1, 2, 3]) } }))
  }
  const key = rings.keyOf(owners[1]!)
  const flood = await rings.settle(asker.upring.request<WithStreams>({ cmd: 'flood', key }))
  await rings.simulation.run(1000)
  const stopped = written
  assert(stopped < 200)
  const list = await rings.settle(asker.upring.request<WithStreams>({ cmd: 'list', key }))
  assert.deepEqual(await rings.settle(collect(list.streams['out']!)), [1, 2, 3])
  assert.equal(written, stopped)
  flood.streams['out']!.destroy()
})

test('a fire carries no streams', async () => {
  const { rings, asker, owners } = await two(11)
  const stream = new Writable()
  const sent = new Promise<unknown>(resolve =>
    asker.upring.fire({ key: rings.keyOf(owners[1]!), streams: { stream } }, resolve)
  )
  assert.equal(((await rings.settle(sent)) as { code: string }).code, 'BAD_REQUEST')
  assert(stream.destroyed)
})
