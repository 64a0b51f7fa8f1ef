import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import type { Address } from '../../broker/runtime/network.ts'
import { readAll, runtimeContract } from '../runtime/contract.ts'
import { DATAGRAM_BYTES_MAX } from './datagram.ts'
import { Simulation, type SimulationOptions } from './simulation.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'
const C = '10.0.0.3'

const worlds: [name: string, options: Omit<SimulationOptions, 'seed'>][] = [
  ['the simulated runtime', {}],
  ['the simulated runtime with long delays', { delayMs: [20, 60] }]
]

for (const [name, options] of worlds) {
  runtimeContract(name, () => {
    const simulation = new Simulation({ ...options, seed: 1 })
    return {
      near: simulation.host(A).runtime,
      far: simulation.host(B).runtime,
      nearHost: A,
      farHost: B,
      settle: promise => settle(simulation, promise)
    }
  })
}

/** Runs the simulation until a promise is settled. */
async function settle<T>(simulation: Simulation, promise: Promise<T>): Promise<T> {
  let settled = false
  const done = (): void => {
    settled = true
  }
  promise.then(done, done)
  await simulation.until(() => settled, 10_000)
  return promise
}

interface Pair {
  simulation: Simulation
  near: Duplex
  far: Duplex
  errors: string[]
}

/** A connection from A to B, both of whose ends note their errors. */
async function connected(options: Omit<SimulationOptions, 'seed'> = {}): Promise<Pair> {
  const simulation = new Simulation({ ...options, seed: 7 })
  let far: Duplex | null = null
  const listening = simulation.host(B).runtime.network.listen({ host: B, port: 7979 }, stream => {
    far = stream
  })
  await settle(simulation, listening)
  const near = await settle(
    simulation,
    simulation.host(A).runtime.network.connect({ host: B, port: 7979 }, 5000)
  )
  assert(far !== null)
  const errors: string[] = []
  const ends: [string, Duplex][] = [
    ['near', near],
    ['far', far]
  ]
  for (const [name, end] of ends) {
    end.on('error', (error: NodeJS.ErrnoException) => errors.push(`${name} ${error.code}`))
    end.on('end', () => errors.push(`${name} end`))
  }
  return { simulation, near, far, errors }
}

/** A function that sends numbered datagrams from A to B, and those that have arrived. */
async function numbered(
  simulation: Simulation
): Promise<{ send: (from: number, to: number) => void; arrived: number[] }> {
  const arrived: number[] = []
  const at = (host: string): Address => ({ host, port: 7979 })
  await settle(
    simulation,
    simulation
      .host(B)
      .runtime.network.datagram(at(B), packet => arrived.push(Buffer.from(packet).readUInt32BE()))
  )
  const socket = await settle(
    simulation,
    simulation.host(A).runtime.network.datagram(at(A), () => {})
  )
  const send = (from: number, to: number): void => {
    for (let i = from; i < to; i++) {
      const packet = Buffer.alloc(4)
      packet.writeUInt32BE(i)
      socket.send(packet, at(B))
    }
  }
  return { send, arrived }
}

test('without faults datagrams arrive once and in order', async () => {
  const simulation = new Simulation({ seed: 3 })
  const { send, arrived } = await numbered(simulation)
  send(0, 1000)
  await simulation.run(10)
  assert.deepEqual(
    arrived,
    Array.from({ length: 1000 }, (_, i) => i)
  )
})

test('loss loses about its share of the datagrams, and can be changed', async () => {
  const simulation = new Simulation({ seed: 3, loss: 0.25 })
  const { send, arrived } = await numbered(simulation)
  send(0, 4000)
  await simulation.run(10)
  assert(arrived.length > 2800 && arrived.length < 3200, `${arrived.length} of 4000`)
  arrived.length = 0
  simulation.setLoss(0)
  send(0, 100)
  await simulation.run(10)
  assert.equal(arrived.length, 100)
})

test('reordering and duplication change order and number, and lose nothing', async () => {
  const simulation = new Simulation({ seed: 3, reorder: 0.2, duplicate: 0.1 })
  const { send, arrived } = await numbered(simulation)
  send(0, 1000)
  await simulation.run(50)
  assert(arrived.length > 1000 && arrived.length < 1200)
  assert.equal(new Set(arrived).size, 1000)
  assert.notDeepEqual(
    arrived,
    [...arrived].sort((a, b) => a - b)
  )
})

test('a partition loses datagrams, also those under way, until it is healed', async () => {
  const simulation = new Simulation({ seed: 3 })
  const { send, arrived } = await numbered(simulation)
  send(0, 10)
  simulation.partition([A], [B, C])
  await simulation.run(10)
  send(10, 20)
  await simulation.run(10)
  assert.deepEqual(arrived, [])
  simulation.heal()
  send(20, 22)
  await simulation.run(10)
  assert.deepEqual(arrived, [20, 21])
})

test('a block lets the other direction pass', async () => {
  const simulation = new Simulation({ seed: 3 })
  const { send, arrived } = await numbered(simulation)
  simulation.block([B], [A])
  send(0, 3)
  await simulation.run(10)
  assert.deepEqual(arrived, [0, 1, 2])
  simulation.block([A], [B])
  send(3, 6)
  await simulation.run(10)
  assert.deepEqual(arrived, [0, 1, 2])
})

test('a datagram that is too large for UDP is not sent', async () => {
  const simulation = new Simulation({ seed: 3 })
  const sizes: number[] = []
  await settle(
    simulation,
    simulation.host(B).runtime.network.datagram({ host: B, port: 1 }, p => sizes.push(p.length))
  )
  const socket = await settle(
    simulation,
    simulation.host(A).runtime.network.datagram({ host: A, port: 1 }, () => {})
  )
  socket.send(new Uint8Array(DATAGRAM_BYTES_MAX + 1), { host: B, port: 1 })
  socket.send(new Uint8Array(DATAGRAM_BYTES_MAX), { host: B, port: 1 })
  await simulation.run(10)
  assert.deepEqual(sizes, [DATAGRAM_BYTES_MAX])
})

test('a partition stalls a stream without breaking it, and what it held arrives after the heal', async () => {
  const { simulation, near, far, errors } = await connected()
  const sent = Buffer.from(simulation.random.bytes(2_000_000))
  const read = readAll(far)
  near.end(sent)
  await simulation.run(1)
  simulation.partition([A], [B])
  await simulation.run(600_000)
  assert.deepEqual(errors, [])
  simulation.heal()
  assert(sent.equals(await settle(simulation, read)))
})

test('a stream is whole and in order whatever the loss, only late', async () => {
  const { simulation, near, far } = await connected({ loss: 0.3, delayMs: [1, 30] })
  const sent = Buffer.from(simulation.random.bytes(500_000))
  const read = readAll(far)
  for (let i = 0; i < sent.length; i += 5000) near.write(sent.subarray(i, i + 5000))
  near.end()
  await simulation.run(60_000)
  assert(sent.equals(await read))
})

test('a reader does not see the boundaries of writes', async () => {
  const { simulation, near, far } = await connected()
  const sizes = new Set<number>()
  far.on('data', (chunk: Buffer) => sizes.add(chunk.length))
  for (let i = 0; i < 200; i++) {
    near.write(Buffer.alloc(100))
    await simulation.run(2)
  }
  assert(sizes.size > 5, 'some were split')
  assert(sizes.has(100), 'most were not')
})

test('a stream takes no more bytes than fit between a writer and a reader that does not read', async () => {
  const { simulation, near, far } = await connected()
  const written: number[] = []
  for (let i = 0; i < 1000; i++) near.write(Buffer.alloc(1024), () => written.push(i))
  await simulation.run(1000)
  const stuck = written.length
  assert(stuck >= 255 && stuck < 400, `${stuck} KiB`)
  far.resume()
  await simulation.run(1000)
  assert.equal(written.length, 1000)
})

test('a connect is not answered while the way is blocked, and succeeds by a retry when it opens in time', async () => {
  const simulation = new Simulation({ seed: 7 })
  await settle(
    simulation,
    simulation.host(B).runtime.network.listen({ host: B, port: 1 }, () => {})
  )
  const { network } = simulation.host(A).runtime
  simulation.partition([A], [B])
  const start = simulation.now
  await assert.rejects(settle(simulation, network.connect({ host: B, port: 1 }, 500)), { code: 'ETIMEDOUT' })
  assert.equal(simulation.now - start, 500)
  const patient = network.connect({ host: B, port: 1 }, 5000)
  await simulation.run(100)
  simulation.heal()
  await settle(simulation, patient)
  await assert.rejects(settle(simulation, network.connect({ host: '10.9.9.9', port: 1 }, 100)), {
    code: 'ETIMEDOUT'
  })
})

test('an acceptance that arrives after the deadline resets the connection at the other end', async () => {
  const simulation = new Simulation({ seed: 7 })
  const errors: unknown[] = []
  await settle(
    simulation,
    simulation.host(B).runtime.network.listen({ host: B, port: 1 }, stream => {
      stream.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code))
    })
  )
  simulation.block([B], [A])
  const unanswered = simulation.host(A).runtime.network.connect({ host: B, port: 1 }, 500)
  await assert.rejects(settle(simulation, unanswered), { code: 'ETIMEDOUT' })
  simulation.heal()
  await simulation.run(1000)
  assert.deepEqual(errors, ['ECONNRESET'])
  assert.equal(simulation.host(A).openSockets, 0)
  assert.equal(simulation.host(B).openSockets, 1, 'the listener')
})

test('an address of another host cannot be bound', async () => {
  const simulation = new Simulation({ seed: 7 })
  await assert.rejects(
    settle(
      simulation,
      simulation.host(A).runtime.network.datagram({ host: B, port: 1 }, () => {})
    ),
    { code: 'EADDRNOTAVAIL' }
  )
})
