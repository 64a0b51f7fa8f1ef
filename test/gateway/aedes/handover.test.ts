// What is acknowledged is kept while nodes join, leave and crash: on the virtual network, from seeds. A node crashes only when the
// copies that the last crash cost have been made again: two at once may take what was acknowledged with them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AedesNode } from '../../../gateway/aedes/node.ts'
import type { Packet } from '../../../gateway/aedes/packet.ts'
import { RingPersistence } from '../../../gateway/aedes/persistence.ts'
import { type Node, Nodes } from '../../broker/nodes.ts'

const LIMITS = { itemsMax: 10_000, subscriptionsMax: 100, queueMax: 10_000, sessionBytesMax: 4e6 }
const CLIENTS = 30
/** What happens at least; the order is by chance. */
const CHANGES = ['join', 'join', 'leave', 'crash', 'crash'] as const
const SETTLED_MS = 30_000

class Scene {
  readonly nodes: Nodes
  readonly persistences = new Map<Node, RingPersistence>()
  /** By client: the numbers that were acknowledged to each writer, in its order. */
  readonly acknowledged = new Map<string, number[]>()
  readonly failures: unknown[] = []
  #written = 0

  constructor(seed: number) {
    this.nodes = new Nodes(seed)
  }

  async join(): Promise<void> {
    const node = this.nodes.add()
    const { broker } = node
    const { upring, clock } = broker
    const aedes = new AedesNode(broker, LIMITS)
    await this.nodes.settle(broker.start(), 60_000)
    this.persistences.set(node, new RingPersistence({ upring, clock, node: aedes, operationsMax: 10_000 }))
  }

  async leave(node: Node): Promise<void> {
    this.persistences.delete(node)
    await this.nodes.leave(node)
  }

  crash(node: Node): void {
    this.persistences.delete(node)
    this.nodes.all.splice(this.nodes.all.indexOf(node), 1)
    node.host.crash()
  }

  /** The first node is the writers' own, and stays. */
  get victim(): Node {
    const { all, simulation } = this.nodes
    return all[1 + simulation.random.integer(all.length - 1)]!
  }

  get persistence(): RingPersistence {
    return this.persistences.get(this.nodes.at(0))!
  }

  write(client: string, persistence = this.persistence): Promise<void> {
    const number = ++this.#written
    const packet = {
      topic: 't',
      qos: 1,
      payload: Buffer.from(`${number}`),
      brokerId: 'writer',
      brokerCounter: number
    }
    return persistence.outgoingEnqueueCombi([{ clientId: client }], packet).then(
      () => void this.acknowledged.get(client)!.push(number),
      error => void this.failures.push(error)
    )
  }

  async queueOf(client: string, persistence = this.persistence): Promise<number[]> {
    const packets = persistence.outgoingStream({ id: client }).toArray() as Promise<Packet[]>
    return (await this.nodes.settle(packets, SETTLED_MS)).map(({ payload }) => Number(payload))
  }
}

async function run(seed: number): Promise<void> {
  const scene = new Scene(seed)
  const { nodes } = scene
  const { random } = nodes.simulation
  for (let i = 0; i < 4; i++) await scene.join()
  const clients = Array.from({ length: CLIENTS }, (_each, i) => `client${i}`)
  for (const id of clients) {
    scene.acknowledged.set(id, [])
    const subscription = { topic: `t/${id}/#`, qos: 1, rh: 0, rap: true, nl: false }
    await nodes.settle(scene.persistence.addSubscriptions({ id }, [subscription]), SETTLED_MS)
  }
  let isOver = false
  const writers = clients.map(async client => {
    while (!isOver) {
      await scene.write(client)
      await new Promise<void>(resolve => nodes.simulation.after(random.integer(600), resolve))
    }
  })
  const changes: string[] = [...CHANGES]
  while (changes.length > 0) {
    const [change] = changes.splice(random.integer(changes.length), 1)
    if (change === 'join') await scene.join()
    else if (change === 'leave') await scene.leave(scene.victim)
    else scene.crash(scene.victim)
    // Long enough for a crash to be noticed and for copies to be made again; short for a join or a leave.
    await nodes.simulation.run(change === 'crash' ? 12_000 : random.integer(200))
  }
  isOver = true
  await nodes.settle(Promise.all(writers), SETTLED_MS)
  assert.deepEqual(scene.failures, [])
  for (const client of clients) {
    const numbers = await scene.queueOf(client)
    assert.deepEqual(numbers, scene.acknowledged.get(client), client)
    const found = scene.persistence.subscriptionsByTopic(`t/${client}/x`)
    const matched = await nodes.settle(found, SETTLED_MS)
    assert.deepEqual(
      matched.map(({ clientId }) => clientId),
      [client]
    )
  }
  assert.deepEqual(await nodes.settle(scene.persistence.countOffline(), SETTLED_MS), {
    subsCount: CLIENTS,
    clientsCount: CLIENTS
  })
}

const SEEDS = Number(process.env['AEDES_SEEDS'] ?? 3)
const FIRST = Number(process.env['AEDES_FIRST_SEED'] ?? 1)

for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
  test(`seed ${seed}: every packet that was acknowledged is queued once, in order, whoever comes, goes or dies`, async () => {
    await run(seed)
  })

test('when a partition has healed, the last writer of a session has won, and all nodes say the same', async () => {
  const scene = new Scene(7)
  const { nodes } = scene
  for (let i = 0; i < 4; i++) await scene.join()
  const [left, right] = [nodes.all.slice(0, 2), nodes.all.slice(2)]
  const sides = [left, right].map(side => side.map(({ name }) => name)) as [string[], string[]]
  const clients = Array.from({ length: 20 }, (_each, i) => `client${i}`)
  for (const client of clients) {
    scene.acknowledged.set(client, [])
    await nodes.settle(scene.write(client), SETTLED_MS)
  }
  nodes.simulation.partition(...sides)
  await nodes.simulation.run(30_000)
  for (const [i, client] of clients.entries()) {
    const order = i % 2 === 0 ? [left, right] : [right, left]
    for (const [node] of order) {
      await nodes.settle(scene.write(client, scene.persistences.get(node!)!), SETTLED_MS)
      await nodes.simulation.run(10)
    }
  }
  nodes.simulation.heal()
  await nodes.simulation.run(90_000)
  assert.deepEqual(scene.failures, [])
  for (const client of clients) {
    // All that its side knew: also what was before, if that had been kept there.
    const [first, , last] = scene.acknowledged.get(client)!
    const queues = new Set<string>()
    for (const persistence of scene.persistences.values())
      queues.add((await scene.queueOf(client, persistence)).join())
    assert.equal(queues.size, 1, client)
    assert([`${first},${last}`, `${last}`].includes([...queues][0]!), client)
  }
})
