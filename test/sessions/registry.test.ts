import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ShoalError } from '../../broker/errors.ts'
import { silentLog } from '../../broker/runtime/log.ts'
import { type Claim, type ClientHolder, ClientRegistry } from '../../broker/sessions/registry.ts'
import { Simulation } from '../simulation/simulation.ts'

class Connection implements ClientHolder {
  readonly name: string
  isOpen = true

  constructor(name: string) {
    this.name = name
  }

  takenOver(): void {
    this.isOpen = false
  }
}

/** Registries of some nodes, joined by requests that take a while. */
class Nodes {
  readonly simulation = new Simulation({ seed: 1 })
  readonly registries = new Map<string, ClientRegistry>()
  owner: string | null = 'a'
  /** Characters of client ids in each message of claims. */
  readonly fired: number[] = []
  /** Topics of wills whose clients' nodes have died. */
  readonly orphaned: string[] = []
  #stamp = 0

  constructor(...names: string[]) {
    for (const name of names) this.registries.set(name, this.#registry(name))
  }

  at(name: string): ClientRegistry {
    return this.registries.get(name)!
  }

  #reach(nodeId: string): ClientRegistry {
    const target = this.registries.get(nodeId)
    if (target === undefined) throw new ShoalError('PEER_GONE', { peer: nodeId })
    return target
  }

  #registry(nodeId: string): ClientRegistry {
    const { clock } = this.simulation
    const travel = (): Promise<void> => new Promise(resolve => void clock.after(1, resolve))
    return new ClientRegistry({
      clock,
      log: silentLog,
      nodeId,
      ownerOf: () => this.owner,
      isMember: id => this.registries.has(id),
      stamp: () => ++this.#stamp,
      orphaned: will => this.orphaned.push(will.topic),
      claim: async (to, claim) => {
        await travel()
        const stamp = await this.#reach(to).grant(claim, nodeId)
        await travel()
        return stamp
      },
      request: async (to, _name, body) => {
        await travel()
        await this.#reach(to).evict(body as Claim)
        await travel()
      },
      fire: (to, name, body) => {
        void travel().then(() => {
          const target = this.registries.get(to)
          if (name === 'client.release') target?.released(body as Claim, nodeId)
          else {
            const { claims } = body as { claims: Claim[] }
            this.fired.push(claims.reduce((sum, { clientId }) => sum + clientId.length, 0))
            for (const claim of claims) target?.renewed(claim, nodeId)
          }
        })
      }
    })
  }
}

describe('the registry of client ids', () => {
  it('closes the older connection of an id on the same node', async () => {
    const nodes = new Nodes('a')
    const [older, newer] = [new Connection('older'), new Connection('newer')]
    await nodes.at('a').claim('id', older)
    await nodes.at('a').claim('id', newer)
    assert.deepEqual([older.isOpen, newer.isOpen], [false, true])
    assert.equal(nodes.at('a').size, 1)
  })

  it('grants at once what nobody else is to be asked for, and only that', async () => {
    const nodes = new Nodes('a', 'b')
    const [older, newer, elsewhere] = [new Connection('1'), new Connection('2'), new Connection('3')]
    assert.equal(nodes.at('b').tryClaim('id', older), false, 'another node owns it')
    assert.equal(nodes.at('b').size, 0)
    assert.equal(nodes.at('a').tryClaim('id', older), true)
    assert.equal(nodes.at('a').tryClaim('id', newer), false, 'it is held')
    assert.equal(older.isOpen, true)
    await nodes.at('a').claim('id', newer)
    assert.deepEqual([older.isOpen, newer.isOpen], [false, true])
    const claim = nodes.at('b').claim('id', elsewhere)
    await nodes.simulation.run(100)
    await claim
    assert.deepEqual([newer.isOpen, elsewhere.isOpen], [false, true])
    assert.equal(nodes.at('a').tryClaim('id', newer), false, 'it is held on another node')
    nodes.at('b').release('id', elsewhere)
    await nodes.simulation.run(100)
    assert.equal(nodes.at('a').tryClaim('id', newer), true)
    nodes.at('a').release('id', newer)
    assert.equal(nodes.at('a').size, 0)
    assert.equal(nodes.at('a').tryClaim('id', older), true)
    nodes.at('a').close()
    assert.equal(nodes.at('a').tryClaim('other', newer), false, 'closed')
  })

  it('closes the older connection on another node before it grants the newer', async () => {
    const nodes = new Nodes('a', 'b', 'c')
    const [older, newer] = [new Connection('older'), new Connection('newer')]
    const first = nodes.at('b').claim('id', older)
    await nodes.simulation.run(100)
    await first
    const second = nodes
      .at('c')
      .claim('id', newer)
      .then(() => assert.equal(older.isOpen, false))
    await nodes.simulation.run(100)
    await second
    assert.equal(newer.isOpen, true)
  })

  it('leaves exactly one of many that claim an id at the same time', async () => {
    const nodes = new Nodes('a', 'b', 'c')
    const connections = Array.from({ length: 9 }, (_, index) => new Connection(`${index}`))
    const claims = connections.map((connection, index) => nodes.at('abc'[index % 3]!).claim('id', connection))
    await nodes.simulation.run(1000)
    await Promise.all(claims)
    assert.equal(connections.filter(({ isOpen }) => isOpen).length, 1)
  })

  it('does not close a connection of another id', async () => {
    const nodes = new Nodes('a')
    const [one, two] = [new Connection('one'), new Connection('two')]
    await nodes.at('a').claim('1', one)
    await nodes.at('a').claim('2', two)
    assert.deepEqual([one.isOpen, two.isOpen], [true, true])
  })

  it('forgets a connection that is gone, but not the newer one of its id', async () => {
    const nodes = new Nodes('a')
    const [older, newer] = [new Connection('older'), new Connection('newer')]
    await nodes.at('a').claim('id', older)
    await nodes.at('a').claim('id', newer)
    nodes.at('a').release('id', older)
    assert.equal(nodes.at('a').size, 1)
    nodes.at('a').release('id', newer)
    assert.equal(nodes.at('a').size, 0)
  })

  it('keeps the newest of two holders after a new owner has heard of both', async () => {
    const nodes = new Nodes('a', 'b', 'c')
    const [older, newer] = [new Connection('older'), new Connection('newer')]
    nodes.owner = 'b'
    await nodes.at('b').claim('id', older)
    nodes.owner = 'c'
    await nodes.at('c').claim('id', newer)
    nodes.owner = 'a'
    for (const registry of nodes.registries.values()) registry.ringChanged()
    await nodes.simulation.run(1000)
    assert.deepEqual([older.isOpen, newer.isOpen], [false, true])
  })

  it('grants at once when the node that held the id is gone', async () => {
    const nodes = new Nodes('a', 'b', 'c')
    const first = nodes.at('b').claim('id', new Connection('older'))
    await nodes.simulation.run(100)
    await first
    nodes.registries.delete('b')
    const newer = new Connection('newer')
    const second = nodes.at('c').claim('id', newer)
    await nodes.simulation.run(100)
    await second
    assert.equal(newer.isOpen, true)
  })

  it('does not let a claim that is tried again overtake a newer one', async () => {
    const nodes = new Nodes('a', 'b')
    nodes.owner = null
    const [older, newer] = [new Connection('older'), new Connection('newer')]
    const superseded = nodes.at('b').claim('id', older)
    await nodes.simulation.run(20)
    const granted = nodes.at('b').claim('id', newer)
    // Between the two's next tries, of which the newer's comes first.
    await nodes.simulation.run(40)
    nodes.owner = 'a'
    await nodes.simulation.run(1000)
    await superseded
    await granted
    assert.deepEqual([older.isOpen, newer.isOpen], [false, true])
  })

  it('keeps nothing of a connection that went while its claim was on the way', async () => {
    for (let afterMs = 0; afterMs < 12; afterMs += 0.5) {
      const nodes = new Nodes('a', 'b', 'c')
      const first = nodes.at('c').claim('id', new Connection('older'))
      await nodes.simulation.run(100)
      await first
      const gone = new Connection('gone')
      const claim = nodes.at('b').claim('id', gone)
      await nodes.simulation.run(afterMs)
      nodes.at('b').release('id', gone)
      await nodes.simulation.run(1000)
      await claim
      assert.ok(nodes.at('a').tryClaim('id', new Connection('next')), `gone after ${afterMs} ms`)
    }
  })

  it('claims ids of any length again without filling a frame', async () => {
    const nodes = new Nodes('a', 'b')
    nodes.owner = 'b'
    const claims = Array.from({ length: 500 }, (_, index) =>
      nodes.at('b').claim(`${index}`.padEnd(65_000, 'x'), new Connection('c'))
    )
    await Promise.all(claims)
    nodes.owner = 'a'
    nodes.at('b').ringChanged()
    await nodes.simulation.run(100)
    assert.ok(nodes.fired.length > 1)
    for (const characters of nodes.fired) assert.ok(characters < 256 * 1024)
  })

  it('gives up with TIMEOUT while no node serves', async () => {
    const nodes = new Nodes('a')
    nodes.owner = null
    const claim = assert.rejects(nodes.at('a').claim('id', new Connection('c')), { code: 'TIMEOUT' })
    await nodes.simulation.run(20_000)
    await claim
  })
})
