// Links between nodes with cluster keys: who has none of them gets nowhere, whatever he has heard, and changes nothing.
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import type { ShoalError } from '../../broker/errors.ts'
import { FRAME } from '../../broker/link/frame.ts'
import { encodeHello, type Hello } from '../../broker/link/hello.ts'
import { createLink, type Identity, type Link, Links } from '../../broker/link/index.ts'
import { KeyProof } from '../../broker/link/key-proof.ts'
import { silentLog } from '../../broker/runtime/log.ts'
import { SeededRandom } from '../simulation/random.ts'
import { Simulation } from '../simulation/simulation.ts'
import { A, B, connect, during, optionsOf, Recorder } from './support.ts'

const random = new SeededRandom(7)

function keysOf(...numbers: number[]): ClusterKeys {
  return new ClusterKeys(numbers.map(number => Buffer.alloc(32, number).toString('hex')))
}

function proofOf(...numbers: number[]): KeyProof {
  return new KeyProof(keysOf(...numbers), random)
}

/** The ids of keys, as they are told. */
function idsOf(...numbers: number[]): string {
  return keysOf(...numbers).ids.join()
}

interface Outcome {
  link: Link | null
  /** What the other side's `ours` and `theirs` are told as, from here. */
  refusal: Record<string, unknown> | null
}

type Change = (type: number, body: Buffer) => Buffer | null

interface Between {
  /** What is done to a frame on its way to the acceptor; null: it is swallowed. */
  toAcceptor?: Change
  toDialler?: Change
}

/** A dials B, with one between them who may change every frame. */
async function shake(
  a: KeyProof | null,
  b: KeyProof | null,
  between: Between = {}
): Promise<[Outcome, Outcome]> {
  const simulation = new Simulation({ seed: 5 })
  const first = await connect(simulation)
  const second = await connectAgain(simulation)
  relay(first.atB, second.fromA, between.toAcceptor)
  relay(second.fromA, first.atB, between.toDialler)
  const party = (self: Identity, proof: KeyProof | null, initiator: boolean) => ({
    ...optionsOf(simulation.host('10.0.0.1').runtime.clock, self, new Recorder(), { initiator }),
    ...(proof === null ? {} : { proof })
  })
  const both = Promise.allSettled([
    createLink(first.fromA, party(A, a, true)),
    createLink(second.atB, party(B, b, false))
  ])
  const outcomes = await during(simulation, both)
  return outcomes.map(outcome => {
    if (outcome.status === 'fulfilled') return { link: outcome.value, refusal: null }
    const { code, fields } = outcome.reason as ShoalError
    return { link: null, refusal: { code, ...fields } }
  }) as [Outcome, Outcome]
}

async function connectAgain(simulation: Simulation): Promise<{ fromA: Duplex; atB: Duplex }> {
  let fromA: Duplex | null = null
  let atB: Duplex | null = null
  const address = { host: '10.0.0.3', port: 7979 }
  const at = simulation.host('10.0.0.3').runtime.network.listen(address, stream => {
    atB = stream
  })
  await during(simulation, at)
  fromA = await during(simulation, simulation.host('10.0.0.2').runtime.network.connect(address, 1000))
  await simulation.until(() => atB !== null, 1000)
  return { fromA, atB: atB! }
}

/** Passes frames on one by one. */
function relay(from: Duplex, to: Duplex, change: Change = (_type, body) => body): void {
  let rest = Buffer.alloc(0)
  from.on('error', () => {})
  from.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readUIntLE(0, 3)) {
      const end = 4 + rest.readUIntLE(0, 3)
      const body = change(rest[3]!, Buffer.from(rest.subarray(4, end)))
      if (body !== null && to.writable) to.write(frame(rest[3]!, body))
      rest = rest.subarray(end)
    }
  })
  from.on('end', () => to.end())
}

function frame(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32LE(body.length)
  header[3] = type
  return Buffer.concat([header, body])
}

function helloOf(self: Identity, more: Partial<Hello> = {}): Hello {
  const limits = { frameBytesMax: 2 ** 20, topicsMax: 1, streamBytes: 1, streamObjects: 1 }
  const said = {
    ...self,
    ring: 'test',
    expect: null,
    attempt: 1,
    standing: 0,
    keys: [],
    nonce: new Uint8Array(0)
  }
  return { ...said, ...limits, ...more }
}

/** Damages one byte of the frames of one type. */
function damage(wanted: number, at: number): Change {
  return (type, body) => {
    if (type === wanted) body[at < 0 ? body.length + at : at]! ^= 1
    return body
  }
}

test('nodes that share any key have a link, whichever each of them prefers', async () => {
  for (const [ofA, ofB] of [
    [[1], [1]],
    [[1], [1, 2]],
    [
      [2, 1],
      [1, 2]
    ],
    [
      [1, 2],
      [2, 3]
    ]
  ] as const) {
    const [a, b] = await shake(proofOf(...ofA), proofOf(...ofB))
    assert.ok(a.link !== null && b.link !== null, `${ofA} and ${ofB}`)
    assert.deepEqual([a.link.peer, b.link.peer], [B, A])
  }
})

test('nodes that share none, or of which one has none, refuse each other, and both are told whose', async () => {
  for (const [ofA, ofB] of [
    [[1], [2, 3]],
    [[], [2]],
    [[1], []]
  ] as const) {
    const both = [ofA, ofB].map(numbers => (numbers.length === 0 ? null : proofOf(...numbers)))
    const [a, b] = await shake(both[0]!, both[1]!)
    const [idsA, idsB] = [ofA, ofB].map(numbers => (numbers.length === 0 ? 'none' : idsOf(...numbers)))
    const told = { code: 'PEER_REFUSED', reason: 'cluster key' }
    assert.deepEqual(a.refusal, { ...told, ours: idsA, theirs: idsB, peer: B.id, by: 'the peer' })
    assert.deepEqual(b.refusal, { ...told, ours: idsB, theirs: idsA, peer: A.id, by: 'us' })
  }
})

test('one in the middle who changes anything of what is said is found out', async () => {
  const changes: [string, Between][] = [
    ['the nonce of the dialler', { toAcceptor: damage(FRAME.HELLO, -1) }],
    ['the attempt of the dialler', { toAcceptor: digit(FRAME.HELLO, 'attempt') }],
    ['the nonce of the challenge', { toDialler: damage(FRAME.CHALLENGE, -1) }],
    ['the proof of the dialler', { toAcceptor: damage(FRAME.PROOF, 5) }],
    ['the proof of the acceptor', { toDialler: damage(FRAME.PROOF, 5) }],
    ['the answer of the acceptor', { toDialler: digit(FRAME.HELLO, 'standing') }],
    ['a proof of nothing', { toDialler: (type, body) => (type === FRAME.PROOF ? Buffer.alloc(0) : body) }],
    ['no proof at all', { toDialler: (type, body) => (type === FRAME.PROOF ? null : body) }]
  ]
  for (const [what, between] of changes) {
    const [a, b] = await shake(proofOf(1), proofOf(1), between)
    assert.deepEqual([a.link, b.link], [null, null], what)
    assert.equal(a.refusal?.['reason'], 'proof of the cluster key', what)
    assert.equal(b.refusal?.['reason'], 'proof of the cluster key', what)
  }
})

/** Another value of a field that MessagePack has as one byte behind its name. */
function digit(wanted: number, field: string): Change {
  return (type, body) => {
    if (type === wanted) body[body.indexOf(field) + field.length]! ^= 1
    return body
  }
}

test('one who has no key cannot pass for an acceptor, with a challenge or without', async () => {
  for (const said of [
    [frame(FRAME.HELLO, encodeHello(helloOf(B)))],
    [frame(FRAME.HELLO, encodeHello(helloOf(B, { keys: keysOf(1).ids, nonce: Buffer.alloc(32) })))],
    [frame(FRAME.CHALLENGE, Buffer.concat([Buffer.from(idsOf(1), 'hex'), Buffer.alloc(32)]))].concat(
      frame(FRAME.PROOF, Buffer.alloc(32)),
      frame(FRAME.HELLO, encodeHello(helloOf(B)))
    )
  ]) {
    const simulation = new Simulation({ seed: 6 })
    const { fromA, atB } = await connect(simulation)
    atB.on('error', () => {})
    atB.resume()
    for (const bytes of said) atB.write(bytes)
    const { clock } = simulation.host('10.0.0.1').runtime
    const options = { ...optionsOf(clock, A, new Recorder(), { initiator: true }), proof: proofOf(1) }
    await assert.rejects(during(simulation, createLink(fromA, options)), { code: 'PEER_REFUSED' })
  }
})

test('what a side has said is worth nothing when it is said back to it, nor its proof in the other role', async () => {
  const simulation = new Simulation({ seed: 10 })
  const { fromA, atB } = await connect(simulation)
  atB.on('error', () => {})
  atB.pipe(atB)
  const { clock } = simulation.host('10.0.0.1').runtime
  const options = { ...optionsOf(clock, A, new Recorder(), { initiator: true }), proof: proofOf(1) }
  await assert.rejects(during(simulation, createLink(fromA, options)), (error: ShoalError) => {
    return error.fields['reason'] === 'itself'
  })
  const [proof, id, said] = [proofOf(1), idsOf(1), [Buffer.from('a'), Buffer.from('b'), Buffer.from('')]]
  const made = proof.make(id, 'dialler', said)!
  assert.equal(proof.isValid(made, id, 'dialler', said), true)
  assert.equal(proof.isValid(made, id, 'acceptor', said), false)
  assert.equal(
    proof.isValid(made, id, 'dialler', [Buffer.from('ab'), Buffer.from(''), Buffer.from('')]),
    false
  )
})

test('what a dialler has said is worth nothing a second time', async () => {
  const simulation = new Simulation({ seed: 8 })
  const recorded: Buffer[] = []
  const keep: Change = (type, body) => {
    recorded.push(frame(type, body))
    return body
  }
  await shake(proofOf(1), proofOf(1), { toAcceptor: keep })
  assert.ok(recorded.length >= 3)
  const { fromA, atB } = await connect(simulation)
  fromA.on('error', () => {})
  fromA.resume()
  for (const bytes of recorded) fromA.write(bytes)
  const { clock } = simulation.host('10.0.0.2').runtime
  const again = createLink(atB, { ...optionsOf(clock, B, new Recorder()), proof: proofOf(1) })
  await assert.rejects(during(simulation, again), (error: ShoalError) => {
    return error.fields['reason'] === 'proof of the cluster key'
  })
})

/** A node of the simulation, with the key 1. */
function nodeAt(simulation: Simulation, name: string): { links: Links; opened: string[] } {
  const { runtime } = simulation.host(name)
  const opened: string[] = []
  const handlers = Object.assign(new Recorder(), {
    opened: (link: Link) => opened.push(link.peer.id),
    refused: () => {},
    lost: () => {}
  })
  const self = { id: `${name}:7979`, instance: Buffer.from(runtime.random.bytes(8)).toString('hex') }
  const keyed = { ...runtime, log: silentLog }
  const links = new Links({
    runtime: keyed,
    self,
    ring: 'test',
    handlers,
    proof: new KeyProof(keysOf(1), runtime.random)
  })
  runtime.network.listen({ host: name, port: 7979 }, (stream, from) => links.accept(stream, from))
  return { links, opened }
}

test('strangers who say that they are a member neither hold up nor replace the link to it', async () => {
  const simulation = new Simulation({ seed: 9 })
  const node = nodeAt(simulation, '10.0.0.1')
  const peer = '10.0.0.2:7979'
  simulation.host('10.0.0.2')
  const say = async (instance: string): Promise<void> => {
    const at = { host: '10.0.0.1', port: 7979 }
    const stream = await during(simulation, simulation.host('10.0.0.9').runtime.network.connect(at, 1000))
    stream.on('error', () => {})
    stream.resume()
    const hello = helloOf(
      { id: peer, instance },
      { keys: keysOf(1).ids, nonce: Buffer.alloc(32), attempt: 9 }
    )
    stream.write(
      Buffer.concat([frame(FRAME.HELLO, encodeHello(hello)), frame(FRAME.PROOF, Buffer.alloc(32))])
    )
  }
  await simulation.run(1)
  for (let i = 0; i < 20; i++) await say(String(i).padStart(16, '0'))
  node.links.want(peer)
  const other = nodeAt(simulation, '10.0.0.2')
  await say('f'.repeat(16))
  await simulation.until(() => node.opened.length > 0 && other.opened.length > 0, 3000)
  const link = node.links.get(peer)!
  for (let i = 0; i < 20; i++) await say(link.peer.instance)
  await simulation.run(5000)
  assert.equal(node.links.get(peer), link)
  assert.equal(link.isClosed, false)
  assert.deepEqual(node.opened, [peer])
  assert.equal(node.links.refusals.count, 41)
})
