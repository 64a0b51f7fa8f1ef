import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { Simulation } from './simulation.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

interface End {
  events: string[]
  stream: Duplex | null
}

/** B listens for streams and datagrams on port 1, and notes everything that happens to it. */
async function serve(simulation: Simulation, runtime: Runtime, label = 'B'): Promise<End> {
  const end: End = { events: [], stream: null }
  const note = (what: string): void => void end.events.push(`${label} ${what}`)
  void runtime.network.listen({ host: B, port: 1 }, stream => {
    end.stream = stream
    note('accepted')
    watch(stream, note)
  })
  void runtime.network.datagram({ host: B, port: 1 }, packet => note(`packet ${packet.length}`))
  await simulation.run(1)
  return end
}

/** A connects to B, and notes everything that happens to its end. */
async function call(simulation: Simulation): Promise<End> {
  const end: End = { events: [], stream: null }
  void simulation
    .host(A)
    .runtime.network.connect({ host: B, port: 1 }, 5000)
    .then(
      stream => {
        end.stream = stream
        watch(stream, what => end.events.push(what))
      },
      (error: NodeJS.ErrnoException) => end.events.push(`${error.code}`)
    )
  await simulation.run(20)
  return end
}

function watch(stream: Duplex, note: (what: string) => void): void {
  stream.on('data', (chunk: Buffer) => note(String(chunk)))
  stream.on('end', () => note('end'))
  stream.on('error', (error: NodeJS.ErrnoException) => note(`${error.code}`))
  stream.on('close', () => note('close'))
}

test('when a host crashes its peers see a reset or an end, new connects are refused, and nothing of it runs again', async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < 20; seed++) {
    const simulation = new Simulation({ seed })
    const host = simulation.host(B)
    const far = await serve(simulation, host.runtime)
    const near = await call(simulation)
    host.runtime.clock.every(1, () => far.events.push('timer'))
    host.crash()
    far.events.length = 0
    await simulation.run(20)
    seen.add(near.events.join())
    near.stream?.write('anyone there?')
    await simulation.run(20)
    assert(near.stream?.destroyed, 'writing to a dead peer resets the connection')
    assert.deepEqual((await call(simulation)).events, ['ECONNREFUSED'])
    assert.deepEqual(far.events, [])
    assert.equal(host.openTimers, 0)
    assert.equal(host.openSockets, 0)
    assert.equal(simulation.host(A).openSockets, 0)
  }
  assert.deepEqual([...seen].sort(), ['ECONNRESET,close', 'end'])
})

test('a dead runtime sets no timers, sends nothing, and answers nothing', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(A)
  const far = await serve(simulation, simulation.host(B).runtime)
  const { clock, network } = host.runtime
  host.crash()
  const ran: string[] = []
  clock.after(1, () => ran.push('after')).cancel()
  clock.every(1, () => ran.push('every'))
  clock.defer(() => ran.push('defer'))
  void network.connect({ host: B, port: 1 }, 10).finally(() => ran.push('connect'))
  void network.listen({ host: A, port: 1 }, () => {}).finally(() => ran.push('listen'))
  void network.datagram({ host: A, port: 1 }, () => {}).finally(() => ran.push('datagram'))
  await simulation.run(100)
  assert.deepEqual(ran, [])
  assert.deepEqual(far.events, [])
})

test('a restarted host has the same address, other luck, and nothing of the old process', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(B)
  const old = await serve(simulation, host.runtime, 'old')
  const oldBytes = host.runtime.random.bytes(8)
  host.runtime.clock.after(5, () => old.events.push('old timer'))
  host.crash()
  const runtime = host.restart()
  assert.equal(runtime, host.runtime)
  const fresh = await serve(simulation, runtime, 'new')
  const near = await call(simulation)
  near.stream?.write('!')
  await simulation.run(20)
  assert.deepEqual(old.events, [])
  assert.deepEqual(fresh.events, ['new accepted', 'new !'])
  assert.notDeepEqual(runtime.random.bytes(8), oldBytes)
})

test('a host that is cut is silent, and its connections go on when it is back', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(B)
  const far = await serve(simulation, host.runtime)
  const near = await call(simulation)
  host.cut()
  near.stream?.write('!')
  await simulation.run(60_000)
  assert.deepEqual(near.events, [])
  assert.deepEqual(far.events, ['B accepted'])
  host.uncut()
  await simulation.run(1000)
  assert.deepEqual(far.events, ['B accepted', 'B !'])
})

test('a loss of power is silent until the host is up again and resets what it does not know', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(B)
  await serve(simulation, host.runtime)
  const near = await call(simulation)
  host.cut()
  host.crash()
  await simulation.run(60_000)
  assert.deepEqual(near.events, [])
  host.restart()
  await simulation.run(1000)
  assert.deepEqual(near.events, ['ECONNRESET', 'close'])
})

test('a paused process runs nothing while its kernel accepts, and does all that was due when it goes on', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(B)
  const far = await serve(simulation, host.runtime)
  host.runtime.clock.after(50, () => far.events.push('timer'))
  host.pause()
  const near = await call(simulation)
  assert(near.stream !== null, 'the kernel accepts')
  near.stream.write('!')
  await simulation.run(1000)
  assert.deepEqual(far.events, [])
  host.resume()
  await simulation.run(0)
  assert.deepEqual(far.events, ['B accepted', 'timer', 'B !'])
})

test('a connection that was reset before it was handed over is handed over first, wherever its segments waited', async () => {
  const near = { pause: new Set<string>(), block: new Set<string>(), timeout: new Set<string>() }
  for (const fault of ['pause', 'block', 'timeout'] as const) {
    for (let seed = 0; seed < 20; seed++) near[fault].add(await opensAndResets(seed, fault))
  }
  const handedOver = ['opened,ECONNRESET,close', 'opened,end']
  assert.deepEqual([...near.pause].sort(), handedOver)
  assert.deepEqual([...near.block].sort(), handedOver)
  assert.deepEqual([...near.timeout], ['ETIMEDOUT'])
})

/** A connects to B, which accepts and crashes while A is stopped, cannot be reached, or both for longer than A waits. */
async function opensAndResets(seed: number, fault: 'pause' | 'block' | 'timeout'): Promise<string> {
  const simulation = new Simulation({ seed })
  const [a, b] = [simulation.host(A), simulation.host(B)]
  const far = await serve(simulation, b.runtime)
  const events: string[] = []
  const timeoutMs = fault === 'timeout' ? 100 : 5000
  a.runtime.network.connect({ host: B, port: 1 }, timeoutMs).then(
    stream => {
      events.push('opened')
      watch(stream, what => events.push(what))
    },
    (error: NodeJS.ErrnoException) => events.push(`${error.code}`)
  )
  if (fault !== 'pause') simulation.block([B], [A])
  await simulation.until(() => far.stream !== null, 100)
  if (fault !== 'block') a.pause()
  await simulation.run(200)
  b.crash()
  simulation.heal()
  await simulation.run(1000)
  a.resume()
  await simulation.run(1000)
  return events.join()
}

test('the buffers of a paused process are bounded', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(B)
  const far = await serve(simulation, host.runtime)
  const near = await call(simulation)
  const socket = await Promise.all([
    simulation.host(A).runtime.network.datagram({ host: A, port: 1 }, () => {}),
    simulation.run(1)
  ]).then(([it]) => it)
  host.pause()
  let written = 0
  for (let i = 0; i < 1000; i++) near.stream?.write(Buffer.alloc(1024, 'x'), () => written++)
  for (let i = 0; i < 1000; i++) socket.send(new Uint8Array(1000), { host: B, port: 1 })
  await simulation.run(1000)
  assert(written >= 255 && written < 300, `${written} KiB of the stream`)
  far.events.length = 0
  host.resume()
  await simulation.run(1000)
  assert.equal(far.events.filter(event => event === 'B packet 1000').length, 212)
  assert.equal(written, 1000)
})

test('a crash while paused loses what was held', async () => {
  const simulation = new Simulation({ seed: 1 })
  const host = simulation.host(B)
  const far = await serve(simulation, host.runtime)
  host.runtime.clock.after(5, () => far.events.push('timer'))
  host.pause()
  await simulation.run(20)
  host.crash()
  host.resume()
  await simulation.run(20)
  assert.deepEqual(far.events, [])
})

test('a timer that came due while its process was paused can still be cancelled', async () => {
  const simulation = new Simulation({ seed: 1 })
  const { clock } = simulation.host(A).runtime
  const ran: string[] = []
  clock.after(5, () => {
    ran.push('first')
    second.cancel()
  })
  const second = clock.after(6, () => ran.push('second'))
  simulation.host(A).pause()
  await simulation.run(20)
  simulation.host(A).resume()
  await simulation.run(20)
  assert.deepEqual(ran, ['first'])
})

test('the wall clock of a host can be wrong, its own clock cannot', async () => {
  const simulation = new Simulation({ seed: 1 })
  const [a, b] = [simulation.host(A), simulation.host(B)]
  b.wallSkewMs = -5000
  await simulation.run(123)
  assert.equal(a.runtime.clock.wall() - b.runtime.clock.wall(), 5000)
  assert.equal(a.runtime.clock.now(), b.runtime.clock.now())
})
