import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShoalError } from '../../broker/errors.ts'
import { type Link, Links, type LinksEvents, type LinksOptions } from '../../broker/link/index.ts'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { Simulation } from '../simulation/simulation.ts'
import { during, messageOf, Recorder } from './support.ts'

const PORT = 7979

/** The links of one node, and what they reported. */
class Node extends Recorder implements LinksEvents {
  readonly id: string
  readonly links: Links
  readonly instance: string
  readonly events: string[] = []
  readonly openedLinks: Link[] = []

  constructor(runtime: Runtime, name: string, options: LinksOptions = {}) {
    super()
    this.id = `${name}:${PORT}`
    this.instance = Buffer.from(runtime.random.bytes(8)).toString('hex')
    this.links = new Links({
      runtime,
      self: { id: this.id, instance: this.instance },
      ring: 'test',
      handlers: this,
      options
    })
    runtime.network.listen({ host: name, port: PORT }, (stream, from) => this.links.accept(stream, from))
  }

  opened(link: Link): void {
    this.events.push(`opened ${link.peer.id}`)
    this.openedLinks.push(link)
  }

  refused(peerId: string, code: string): void {
    this.events.push(`refused ${peerId} ${code}`)
  }

  lost(peerId: string, instance: string): void {
    assert.match(instance, /^[0-9a-f]{16}$/)
    this.events.push(`lost ${peerId}`)
  }

  override closed(link: Link, reason: ShoalError | null): void {
    super.closed(link, reason)
    this.events.push(`closed ${link.peer.id} ${reason?.code ?? 'gracefully'}`)
  }
}

function nodeAt(simulation: Simulation, name: string, options?: LinksOptions): Node {
  return new Node(simulation.host(name).runtime, name, options)
}

/** Both have a link to the other, and it is the same one: what is asked on it is answered, by the right process. */
async function assertOneLink(simulation: Simulation, a: Node, b: Node): Promise<void> {
  const atA = a.links.get(b.id)
  const atB = b.links.get(a.id)
  assert.ok(atA !== null && atB !== null, `seed ${simulation.seed}: no link between ${a.id} and ${b.id}`)
  assert.notEqual(atA.initiator, atB.initiator, `seed ${simulation.seed}: two links`)
  assert.equal(atA.peer.instance, b.instance)
  assert.equal(atB.peer.instance, a.instance)
  b.onRequest = (_name, _body, reply, link) => reply.send(link === b.links.get(a.id))
  const { body } = await during(simulation, atA.request('same', null))
  assert.equal(body, true, `seed ${simulation.seed}: the ends do not belong together`)
}

test('a wanted peer is dialled until it is there, each refusal is told, and one loss is one redial', async () => {
  const simulation = new Simulation({ seed: 1 })
  const a = nodeAt(simulation, '10.0.0.1')
  simulation.host('10.0.0.2')
  a.links.want('10.0.0.2:7979')
  a.links.want('10.0.0.2:7979')
  await simulation.run(1000)
  const refused = a.events.filter(event => event === 'refused 10.0.0.2:7979 ECONNREFUSED').length
  assert.ok(refused >= 4 && refused <= 8, `${refused} dials in the first second`)

  const b = nodeAt(simulation, '10.0.0.2')
  await simulation.until(() => a.links.get(b.id) !== null && b.links.get(a.id) !== null, 2100)
  await assertOneLink(simulation, a, b)
  await simulation.run(5000)
  a.events.length = 0
  const cutAt = simulation.now
  simulation.host('10.0.0.2').crash()
  await simulation.until(() => a.events.length >= 3, 100)
  assert.ok(simulation.now - cutAt < 10)
  assert.deepEqual(a.events.slice(0, 3), [
    `closed ${b.id} PEER_GONE`,
    `lost ${b.id}`,
    `refused ${b.id} ECONNREFUSED`
  ])
})

test('a link that is no longer wanted closes gracefully and is not dialled again', async () => {
  const simulation = new Simulation({ seed: 1 })
  const [a, b] = [nodeAt(simulation, '10.0.0.1'), nodeAt(simulation, '10.0.0.2')]
  a.links.want(b.id)
  await simulation.until(() => b.links.get(a.id) !== null, 1000)
  a.links.unwant(b.id)
  await simulation.run(5000)
  assert.deepEqual(a.events, [`opened ${b.id}`, `closed ${b.id} gracefully`])
  assert.deepEqual(b.events, [`opened ${a.id}`, `closed ${a.id} gracefully`])
  assert.equal(simulation.host('10.0.0.1').openTimers, 0)
})

test('links at rest dial no more, but keep what they have and let others in', async () => {
  const simulation = new Simulation({ seed: 1 })
  const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(name => nodeAt(simulation, name))
  a!.links.want(b!.id)
  await simulation.until(() => b!.links.get(a!.id) !== null, 1000)
  a!.links.rest()
  c!.links.want(a!.id)
  await simulation.until(() => a!.links.get(c!.id) !== null, 1000)
  assert.deepEqual(a!.events, [`opened ${b!.id}`, `opened ${c!.id}`])
  void b!.links.close()
  a!.links.want('10.0.0.4:7979')
  await simulation.run(5000)
  assert.deepEqual(a!.events.slice(2), [`closed ${b!.id} gracefully`])
})

test('another node at the dialled address is refused, and told so', async () => {
  const simulation = new Simulation({ seed: 1 })
  const a = nodeAt(simulation, '10.0.0.1')
  const runtime = simulation.host('10.0.0.2').runtime
  const b = nodeAt(simulation, '10.0.0.2')
  runtime.network.listen({ host: '10.0.0.2', port: 1 }, (stream, from) => b.links.accept(stream, from))
  await simulation.run(1)
  a.links.want('10.0.0.2:1')
  await simulation.run(10)
  assert.deepEqual(a.events, ['refused 10.0.0.2:1 PEER_REFUSED'])
  assert.deepEqual(b.events, [])
})

test('a base node is dialled by its address and kept by its id', async () => {
  const simulation = new Simulation({ seed: 1 })
  const [a, b] = [nodeAt(simulation, '10.0.0.1'), nodeAt(simulation, '10.0.0.2')]
  const runtime = simulation.host('10.0.0.2').runtime
  runtime.network.listen({ host: '10.0.0.2', port: 99 }, (stream, from) => b.links.accept(stream, from))
  await simulation.run(1)
  const link = await during(simulation, a.links.dial({ host: '10.0.0.2', port: 99 }))
  assert.equal(link.peer.id, b.id)
  assert.equal(a.links.get(b.id), link)
  assert.equal(await during(simulation, a.links.dial({ host: '10.0.0.2', port: 99 })), link)
  assert.equal(await during(simulation, a.links.dial({ host: '10.0.0.2', port: PORT })), link)
  await simulation.run(1)
  assert.deepEqual(a.events, [`opened ${b.id}`])
  assert.deepEqual(b.events, [`opened ${a.id}`])

  await assert.rejects(
    during(simulation, a.links.dial({ host: '10.0.0.1', port: PORT })),
    (error: ShoalError) => {
      return error.code === 'PEER_REFUSED' && error.fields['reason'] === 'itself'
    }
  )
  await assert.rejects(
    during(simulation, a.links.dial({ host: '10.0.0.1', port: 5 })),
    (error: ShoalError) => {
      return error.code === 'PEER_GONE' && (error.cause as { code?: string }).code === 'ECONNREFUSED'
    }
  )
})

test('nodes that dial each other at the same time get one link, which is never replaced', async () => {
  for (let seed = 1; seed <= 1500; seed++) {
    const simulation = new Simulation({ seed, delayMs: [0.1, 3], loss: seed % 5 === 0 ? 0.1 : 0 })
    const { random } = simulation
    const names = ['10.0.0.1', '10.0.0.2'].concat(seed % 3 === 0 ? ['10.0.0.3'] : [])
    const nodes = names.map(name => nodeAt(simulation, name))
    await simulation.run(1)
    for (const node of nodes) {
      for (const peer of nodes) {
        if (peer === node) continue
        simulation.after(random.between(0, 8), () => node.links.want(peer.id))
        if (random.chance(0.3)) {
          const [host] = peer.id.split(':')
          simulation.after(random.between(0, 12), () => {
            node.links
              .dial({ host: host!, port: PORT })
              .catch(error => assert.fail(`seed ${seed}: ${error.message}`))
          })
        }
      }
    }
    await simulation.run(4000)
    for (const node of nodes) {
      assert.deepEqual(
        node.events.toSorted(),
        nodes.filter(peer => peer !== node).map(peer => `opened ${peer.id}`),
        `seed ${seed}`
      )
    }
    for (const [i, a] of nodes.entries()) {
      for (const b of nodes.slice(i + 1)) await assertOneLink(simulation, a, b)
    }
  }
})

test('whatever nodes and network have been through, in the end there is one link for each pair', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const simulation = new Simulation({ seed, delayMs: [0.1, 5], loss: 0.05 })
    const { random } = simulation
    const names = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
    const nodes = new Map<string, Node>()
    const start = (name: string): void => {
      const node = nodeAt(simulation, name, { heartbeatMs: 200, silenceMs: 1000, handshakeTimeoutMs: 500 })
      nodes.set(name, node)
      for (const peer of names) if (peer !== name) node.links.want(`${peer}:${PORT}`)
    }
    for (const name of names) start(name)
    for (let i = 0; i < 12; i++) {
      const name = random.pick(names)
      const host = simulation.host(name)
      switch (random.integer(6)) {
        case 0:
          host.restart()
          start(name)
          break
        case 1:
          host.pause()
          simulation.after(random.between(0, 1500), () => host.resume())
          break
        case 2:
          simulation.partition(
            [name],
            names.filter(other => other !== name)
          )
          break
        case 3:
          simulation.heal()
          break
        case 4: {
          const peer = random.pick(names)
          simulation.block([name], [peer])
          break
        }
        default:
          for (const link of nodes.get(name)!.links.all()) if (random.chance(0.5)) link.destroy()
      }
      await simulation.run(random.between(0, 800))
    }
    simulation.heal()
    await simulation.run(8000)
    for (const node of nodes.values()) checkEvents(node, seed)
    for (const [i, name] of names.entries()) {
      for (const other of names.slice(i + 1))
        await assertOneLink(simulation, nodes.get(name)!, nodes.get(other)!)
    }
    const all = [...nodes.values()]
    await during(simulation, Promise.all(all.map(node => node.links.close())))
    await simulation.run(4000)
    for (const name of names) {
      assert.equal(simulation.host(name).openTimers, 0, `seed ${seed}: timers of ${name}`)
      assert.equal(simulation.host(name).openSockets, 1, `seed ${seed}: sockets of ${name}`)
    }
  }
})

/** For each peer, links open and close in turn: never two at once. */
function checkEvents(node: Node, seed: number): void {
  const open = new Set<string>()
  for (const event of node.events) {
    const [what, peer] = event.split(' ') as [string, string]
    if (what === 'opened') {
      assert.equal(open.has(peer), false, `seed ${seed}: two links to ${peer} at ${node.id}`)
      open.add(peer)
    } else if (what === 'closed') assert.equal(open.delete(peer), true)
  }
}

test('a new process of a peer replaces the old one, whose connection is not known to be dead', async () => {
  const simulation = new Simulation({ seed: 1 })
  const a = nodeAt(simulation, '10.0.0.1')
  const old = nodeAt(simulation, '10.0.0.2')
  await simulation.run(1)
  a.links.want(old.id)
  await simulation.until(() => old.links.get(a.id) !== null, 1000)
  const host = simulation.host('10.0.0.2')
  host.cut()
  host.crash()
  simulation.block(['10.0.0.2'], ['10.0.0.1'])
  host.restart()
  await simulation.run(100)
  simulation.heal()
  const fresh = nodeAt(simulation, '10.0.0.2')
  await simulation.run(1)
  fresh.links.want(a.id)
  await simulation.until(() => fresh.links.get(a.id) !== null, 1000)
  await simulation.run(10)
  assert.equal(a.links.get(fresh.id)!.peer.instance, fresh.instance)
  await assertOneLink(simulation, a, fresh)
})

test('a connection of a peer that has lost its end, unnoticed here, replaces the old link', async () => {
  const simulation = new Simulation({ seed: 1 })
  const a = nodeAt(simulation, '10.0.0.1', { silenceMs: 60_000 })
  const b = nodeAt(simulation, '10.0.0.2', { heartbeatMs: 100, silenceMs: 500 })
  await simulation.run(1)
  b.links.want(a.id)
  await simulation.until(() => a.links.get(b.id) !== null, 1000)
  const stale = a.links.get(b.id)!
  simulation.partition(['10.0.0.1'], ['10.0.0.2'])
  await simulation.until(() => b.links.get(a.id) === null, 1000)
  assert.equal(stale.isClosed, false)
  simulation.heal()
  await simulation.until(() => b.links.get(a.id) !== null && a.links.get(b.id) !== stale, 6000)
  await simulation.run(10)
  await assertOneLink(simulation, a, b)
  assert.equal(stale.isClosed, true)
})

test('messages that are sent as soon as a link is reported open arrive', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const simulation = new Simulation({ seed, delayMs: [0.1, 3] })
    const [a, b] = [nodeAt(simulation, '10.0.0.1'), nodeAt(simulation, '10.0.0.2')]
    for (const node of [a, b]) {
      node.opened = link => link.publish(messageOf(node.topic('hello'), node.id))
    }
    await simulation.run(1)
    simulation.after(simulation.random.between(0, 3), () => a.links.want(b.id))
    simulation.after(simulation.random.between(0, 3), () => b.links.want(a.id))
    await simulation.run(500)
    assert.equal(Buffer.from(a.published[0]!.payload()).toString(), b.id)
    assert.equal(Buffer.from(b.published[0]!.payload()).toString(), a.id)
    assert.equal(a.published.length + b.published.length, 2)
  }
})

test('more strangers than the limit are dropped, and those that say nothing are dropped in time', async () => {
  const simulation = new Simulation({ seed: 1 })
  nodeAt(simulation, '10.0.0.1', { handshakesMax: 5 })
  const stranger = simulation.host('10.0.0.9').runtime.network
  await simulation.run(1)
  for (let i = 0; i < 20; i++) {
    stranger.connect({ host: '10.0.0.1', port: PORT }, 1000).then(
      stream => stream.on('error', () => {}).resume(),
      () => {}
    )
  }
  await simulation.run(100)
  assert.equal(simulation.host('10.0.0.1').openSockets, 6)
  await simulation.run(4000)
  assert.equal(simulation.host('10.0.0.1').openSockets, 1)
  assert.equal(simulation.host('10.0.0.1').openTimers, 0)
})
