// What every Runtime must do, real or simulated: the suite that a new implementation inherits. A world gives two
// runtimes that reach each other, and a way to wait: on the virtual clock, or with a deadline.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import type { Address, DatagramSocket, Listener } from '../../broker/runtime/network.ts'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { deferred } from '../support/deferred.ts'

export interface World {
  near: Runtime
  far: Runtime
  nearHost: string
  farHost: string
  /** Waits for a promise; rejects after 10 s of the world's time. */
  settle<T>(promise: Promise<T>): Promise<T>
}

/** Runs `body` with a world, and closes what it opened in it. */
type Scene = (title: string, body: (stage: Stage) => Promise<void>) => void

export function runtimeContract(name: string, makeWorld: (t: TestContext) => World): void {
  const scene: Scene = (title, body) =>
    void test(`${name}: ${title}`, async t => {
      const stage = new Stage(makeWorld(t))
      try {
        await body(stage)
      } finally {
        stage.close()
      }
    })
  clockContract(scene)
  datagramContract(scene)
  streamContract(scene)
}

function clockContract(scene: Scene): void {
  scene('a timer never fires before its delay is over, and fires once', async ({ world }) => {
    const { clock } = world.near
    let fired = 0
    for (const delayMs of [0, 0.4, 1.5, 7.9, 20]) {
      const start = clock.now()
      await world.settle(
        new Promise<void>(resolve => {
          clock.after(delayMs, () => {
            fired++
            resolve()
          })
        })
      )
      assert(clock.now() - start >= delayMs, `${delayMs} ms`)
    }
    await world.settle(new Promise<void>(resolve => clock.after(30, resolve)))
    assert.equal(fired, 5)
  })

  scene('a cancelled timer does not fire, and cancelling twice or late does nothing', async ({ world }) => {
    const { clock } = world.near
    let fired = 0
    const cancelled = clock.after(5, () => fired++)
    cancelled.cancel()
    cancelled.cancel()
    const late = clock.after(1, () => fired++)
    await world.settle(new Promise<void>(resolve => clock.after(20, resolve)))
    late.cancel()
    assert.equal(fired, 1)
  })

  scene('a periodic timer goes on until it is cancelled, also by itself', async ({ world }) => {
    const { clock } = world.near
    let fired = 0
    await world.settle(
      new Promise<void>(resolve => {
        const timer = clock.every(2, () => {
          if (++fired < 5) return
          timer.cancel()
          resolve()
        })
      })
    )
    await world.settle(new Promise<void>(resolve => clock.after(20, resolve)))
    assert.equal(fired, 5)
  })

  scene('what is deferred runs later, in order, and before what it defers itself', async ({ world }) => {
    const { clock } = world.near
    const order: string[] = []
    const done = new Promise<void>(resolve => {
      clock.defer(() => {
        order.push('first')
        clock.defer(() => {
          order.push('inner')
          resolve()
        })
      })
      clock.defer(() => order.push('second'))
      order.push('now')
    })
    await world.settle(done)
    assert.deepEqual(order, ['now', 'first', 'second', 'inner'])
  })

  scene('time does not go back', async ({ world }) => {
    const before = world.near.clock.now()
    await world.settle(new Promise<void>(resolve => world.near.clock.after(2, resolve)))
    assert(world.near.clock.now() > before)
    assert(world.near.clock.wall() > Date.UTC(2020, 0, 1))
  })
}

function datagramContract(scene: Scene): void {
  scene('a datagram is answered to the address it came from', async stage => {
    const { world } = stage
    const echo: DatagramSocket = await stage.datagram(world.far, world.farHost, (packet, from) =>
      echo.send(packet, from)
    )
    const answer = deferred<{ packet: Uint8Array; from: Address }>()
    const socket = await stage.datagram(world.near, world.nearHost, (packet, from) =>
      answer.resolve({ packet, from })
    )
    const packet = Uint8Array.of(1, 2, 3)
    socket.send(packet, echo.address)
    packet.fill(0)
    const { packet: received, from } = await world.settle(answer.promise)
    assert.deepEqual([...received], [1, 2, 3], 'the packet as it was when it was sent')
    assert.deepEqual(from, echo.address)
  })

  scene('a datagram that nobody can receive is lost silently', async stage => {
    const { world } = stage
    const gone = await stage.datagram(world.far, world.farHost, () => assert.fail('closed'))
    gone.close()
    gone.close()
    const socket = await stage.datagram(world.near, world.nearHost, () => {})
    socket.send(Uint8Array.of(1), gone.address)
    socket.send(Uint8Array.of(1), { host: world.farHost, port: 0 })
    socket.send(new Uint8Array(70_000), gone.address)
    await world.settle(new Promise<void>(resolve => world.near.clock.after(20, resolve)))
    socket.close()
    socket.send(Uint8Array.of(1), gone.address)
  })

  scene('a port is bound once for datagrams and once for streams', async stage => {
    const { world } = stage
    const listener = await stage.listen(() => {})
    const socket = await stage.datagram(world.far, world.farHost, () => {}, listener.address.port)
    assert.equal(socket.address.port, listener.address.port)
    await assert.rejects(
      stage.datagram(world.far, world.farHost, () => {}, socket.address.port),
      { code: 'EADDRINUSE' }
    )
    await assert.rejects(
      stage.listen(() => {}, listener.address.port),
      { code: 'EADDRINUSE' }
    )
  })
}

function streamContract(scene: Scene): void {
  scene('a stream carries bytes both ways, whole and in order', async stage => {
    const { world } = stage
    const listener = await stage.listen(stream => void stream.pipe(stream))
    const stream = await stage.connect(listener.address)
    const sent = Buffer.from(world.near.random.bytes(3_000_000))
    stream.end(sent)
    assert(sent.equals(await world.settle(readAll(stream))))
  })

  scene('a reader that waits stops the writer, and loses nothing', async stage => {
    const { world } = stage
    const accepted = deferred<Duplex>()
    const listener = await stage.listen(accepted.resolve)
    const stream = await stage.connect(listener.address)
    const chunk = Buffer.alloc(64 * 1024, 7)
    let writes = 0
    while (writes < 1000 && stream.write(chunk)) writes++
    for (let i = 0; i < 500; i++) stream.write(chunk)
    const far = await world.settle(accepted.promise)
    await world.settle(new Promise<void>(resolve => world.near.clock.after(50, resolve)))
    assert(stream.writableLength > 0, 'bytes wait at the writer')
    stream.end()
    const read = await world.settle(readAll(far))
    assert.equal(read.length, (500 + writes + (writes < 1000 ? 1 : 0)) * chunk.length)
    assert(read.every(byte => byte === 7))
  })

  scene('an end leaves the other direction open', async stage => {
    const { world } = stage
    const answered = deferred<void>()
    const listener = await stage.listen(async stream => {
      const question = await readAll(stream)
      stream.end(`answer to ${question}`)
      answered.resolve()
    })
    const stream = await stage.connect(listener.address)
    stream.end('question')
    assert.equal(String(await world.settle(readAll(stream))), 'answer to question')
    await world.settle(answered.promise)
  })

  scene('a connect to a port without listener is refused', async stage => {
    const listener = await stage.listen(() => {})
    await listener.close()
    await assert.rejects(stage.connect(listener.address), { code: 'ECONNREFUSED' })
  })

  scene('a listener that closes leaves its connections alone, and its port free', async stage => {
    const { world } = stage
    const accepted = deferred<Duplex>()
    const listener = await stage.listen(accepted.resolve)
    const stream = await stage.connect(listener.address)
    const far = await world.settle(accepted.promise)
    await world.settle(listener.close())
    await world.settle(listener.close())
    far.end('still here')
    assert.equal(String(await world.settle(readAll(stream))), 'still here')
    await stage.listen(() => {}, listener.address.port)
  })

  scene('a destroyed end closes the other one', async stage => {
    const { world } = stage
    const accepted = deferred<Duplex>()
    const listener = await stage.listen(accepted.resolve)
    const stream = await stage.connect(listener.address)
    const far = await world.settle(accepted.promise)
    far.on('error', () => {})
    stream.on('error', () => {})
    const ended = once(stream.resume(), 'end').catch(() => {})
    far.destroy()
    await world.settle(ended)
    const closed = once(stream, 'close').catch(() => {})
    stream.write('nobody reads this')
    world.near.clock.after(20, () => stream.write('nor this'))
    await world.settle(closed)
    assert(stream.destroyed)
  })

  scene('the far side learns the address of the near one', async stage => {
    const { world } = stage
    const from = deferred<Address>()
    const listener = await stage.listen((_stream, address) => from.resolve(address))
    await stage.connect(listener.address)
    const { host, port } = await world.settle(from.promise)
    assert.equal(host, world.nearHost)
    assert(port > 0)
  })
}

/** Opens things in a world, and remembers them. */
class Stage {
  readonly world: World
  readonly #close: (() => void)[] = []

  constructor(world: World) {
    this.world = world
  }

  async datagram(
    runtime: Runtime,
    host: string,
    onPacket: (packet: Uint8Array, from: Address) => void,
    port = 0
  ): Promise<DatagramSocket> {
    const socket = await this.world.settle(runtime.network.datagram({ host, port }, onPacket))
    this.#close.push(() => socket.close())
    return socket
  }

  async listen(onConnection: (stream: Duplex, from: Address) => void, port = 0): Promise<Listener> {
    const { far, farHost, settle } = this.world
    const listener = await settle(
      far.network.listen({ host: farHost, port }, (stream, from) => {
        this.#close.push(() => stream.destroy())
        onConnection(stream, from)
      })
    )
    this.#close.push(() => void listener.close())
    return listener
  }

  async connect(to: Address): Promise<Duplex> {
    const stream = await this.world.settle(this.world.near.network.connect(to, 5000))
    this.#close.push(() => stream.destroy())
    return stream
  }

  close(): void {
    for (const close of this.#close) close()
  }
}

export async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}
