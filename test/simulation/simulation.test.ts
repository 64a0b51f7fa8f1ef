import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { Simulation } from './simulation.ts'
import { Timeline } from './timeline.ts'

/** A busy world with all faults, and the hash of each event that happened in it. */
async function traceOf(seed: number): Promise<string> {
  const hash = createHash('sha256')
  const simulation = new Simulation({
    seed,
    loss: 0.1,
    reorder: 0.1,
    duplicate: 0.1,
    trace: (at, host, kind) => hash.update(`${at} ${host} ${kind}\n`)
  })
  const names = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
  for (const name of names) gossip(simulation, name, names, what => hash.update(`${name} ${what}\n`))
  for (let round = 0; round < 6; round++) {
    await simulation.run(simulation.random.between(1, 60))
    const host = simulation.host(simulation.random.pick(names))
    const fault = simulation.random.integer(5)
    if (fault === 0) host.crash()
    if (fault === 1) host.pause()
    if (fault === 2) host.resume()
    if (fault === 3) simulation.partition(names.slice(0, 1), names.slice(1))
    if (fault === 4) simulation.heal()
    if (fault === 4 && !host.alive) {
      host.restart()
      gossip(simulation, host.name, names, what => hash.update(`${host.name} ${what}\n`))
    }
  }
  assert(simulation.events > 50)
  return hash.digest('hex')
}

function gossip(simulation: Simulation, name: string, names: string[], note: (what: string) => void): void {
  const { clock, network, random } = simulation.host(name).runtime
  const port = 7979
  void network
    .datagram({ host: name, port }, (packet, from) => note(`${packet[0]} from ${from.host}`))
    .then(socket => {
      clock.every(3, () => socket.send(random.bytes(4), { host: names[random.integer(names.length)]!, port }))
    })
  void network.listen({ host: name, port }, stream => {
    stream.on('data', (chunk: Buffer) => note(`${chunk.length} bytes`))
    stream.on('error', () => note('reset'))
    stream.on('end', () => stream.end())
  })
  clock.every(7, () => {
    network.connect({ host: names[random.integer(names.length)]!, port }, 20).then(
      stream => {
        stream.on('error', () => note('broken'))
        stream.end(random.bytes(random.integer(100_000)))
      },
      error => note(String(error))
    )
  })
}

test('the same seed gives the same events, and another seed others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0 }), async seed => {
      const first = await traceOf(seed)
      assert.equal(await traceOf(seed), first)
      assert.notEqual(await traceOf(seed + 1), first)
    }),
    { numRuns: 15 }
  )
})

test('two simulations at once do not disturb each other', async () => {
  const alone = await traceOf(5)
  const [first, second] = await Promise.all([traceOf(5), traceOf(5)])
  assert.deepEqual([first, second], [alone, alone])
})

test('promises and ticks settle between two events of the same instant', async () => {
  const simulation = new Simulation({ seed: 1 })
  const order: string[] = []
  for (const name of ['a', 'b']) {
    simulation.after(5, async () => {
      order.push(`${name} event`)
      await null
      order.push(`${name} promise`)
      process.nextTick(() => {
        order.push(`${name} tick`)
        void Promise.resolve().then(() => order.push(`${name} late promise`))
      })
    })
  }
  await simulation.run(5)
  const each = (name: string): string[] =>
    ['event', 'promise', 'tick', 'late promise'].map(what => `${name} ${what}`)
  assert.deepEqual(order, [...each('a'), ...each('b')])
})

test('run moves time exactly, also when nothing happens, and happens all that is due by then', async () => {
  const simulation = new Simulation({ seed: 1 })
  const at: number[] = []
  for (const delay of [30, 10, 20.5]) simulation.after(delay, () => at.push(simulation.now))
  await simulation.run(20)
  assert.deepEqual([simulation.now, ...at], [20, 10])
  await simulation.run(10)
  assert.deepEqual([simulation.now, ...at], [30, 10, 20.5, 30])
})

test('until stops at the event that makes its condition true', async () => {
  const simulation = new Simulation({ seed: 1 })
  let ticks = 0
  simulation.clock.every(10, () => ticks++)
  await simulation.until(() => ticks === 3, 1000)
  assert.equal(simulation.now, 30)
})

test('until says the seed and what it waited for when the condition does not come true in time', async () => {
  const simulation = new Simulation({ seed: 4711 })
  await assert.rejects(
    simulation.until(() => simulation.random === null, 50),
    /seed 4711 at 50 ms .*simulation\.random === null/
  )
})

test('an event that throws rejects the run, with the seed, and the next run goes on', async () => {
  const simulation = new Simulation({ seed: 4711 })
  simulation.after(3, () => {
    throw new Error('planted')
  })
  await assert.rejects(simulation.run(10), /seed 4711 at 3 ms failed: planted/)
  await simulation.run(10)
  assert.equal(simulation.now, 13)
})

test('the timeline keeps the order of (time, sequence) under random schedules and cancellations', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()), { maxLength: 3000 }),
      plan => {
        const timeline = new Timeline()
        const happened: number[] = []
        const events = plan.map(([at], index) => timeline.at(at, '', '', () => happened.push(index)))
        const expected = plan.map(([at], index) => ({ at, index })).filter(({ index }) => !plan[index]![1])
        for (const [index, [, cancelled]] of plan.entries()) if (cancelled) timeline.cancel(events[index]!)
        assert.equal(timeline.pending, expected.length)
        for (let event = timeline.take(100); event !== null; event = timeline.take(100)) event.run()
        assert.deepEqual(
          happened,
          expected.sort((a, b) => a.at - b.at || a.index - b.index).map(({ index }) => index)
        )
      }
    )
  )
})
