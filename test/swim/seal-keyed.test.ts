// Sealed packets: what goes in comes out, once, where it should, and nothing else does.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import { checksumSeal, type Seal } from '../../broker/swim/seal.ts'
import { KeyedSeal } from '../../broker/swim/seal-keyed.ts'

const [A, B, C] = ['a', 'b', 'c'].map(digit => digit.repeat(16)) as [string, string, string]

function key(number: number): string {
  return Buffer.alloc(32, number).toString('hex')
}

function sealOf(instance: string, keys = [key(1)], more: { sendersMax?: number } = {}): KeyedSeal {
  return new KeyedSeal({ keys: new ClusterKeys(keys), instance, purpose: 'packet', ...more })
}

function reasonOf(seal: Seal, sealed: Uint8Array): string {
  try {
    seal.open(sealed)
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error && error.code === 'PACKET_INVALID', String(error))
    return String((error as { fields?: { reason?: unknown } }).fields?.reason)
  }
  return 'opened'
}

test('any packet comes out as it went in, with who sealed it, and no part of it is on the wire', () => {
  const [from, to] = [sealOf(A), sealOf(B)]
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 2000 }), packet => {
      const sealed = from.seal(packet, B)
      assert.equal(sealed.length, packet.length + from.overheadBytes)
      if (packet.length >= 8) assert.equal(Buffer.from(sealed).includes(Buffer.from(packet)), false)
      const opened = to.open(sealed)
      assert.deepEqual(Buffer.from(opened.packet), Buffer.from(packet))
      assert.deepEqual([opened.sender, opened.isForUs], [A, true])
    })
  )
})

test('a packet that is changed anywhere, or cut short, is not opened, and the true one still is', () => {
  const [from, to] = [sealOf(A), sealOf(B)]
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (packet, at, flip) => {
        const sealed = from.seal(packet, B)
        const changed = Uint8Array.from(sealed)
        changed[at % changed.length]! ^= flip
        assert.notEqual(reasonOf(to, changed), 'opened')
        assert.notEqual(reasonOf(to, sealed.subarray(0, at % sealed.length)), 'opened')
        assert.equal(reasonOf(to, sealed), 'opened')
      }
    )
  )
})

test('a packet is opened once by each, and never by who sealed it', () => {
  const [from, to, third] = [sealOf(A), sealOf(B), sealOf(C)]
  const sealed = from.seal(Buffer.from('news'), B)
  assert.equal(reasonOf(to, sealed), 'opened')
  assert.equal(reasonOf(to, sealed), 'replayed')
  assert.equal(reasonOf(from, sealed), 'replayed')
  assert.equal(third.open(sealed).isForUs, false, 'sent on to another')
  assert.equal(sealOf(A).open(third.seal(Buffer.from('x'))).isForUs, true, 'for anyone')
})

test('what was recorded before a process started is not for it', () => {
  const from = sealOf(A)
  const recorded = from.seal(Buffer.from('old'), B)
  const restarted = sealOf('b0'.repeat(8))
  assert.equal(restarted.open(recorded).isForUs, false)
  assert.equal(reasonOf(restarted, recorded), 'replayed', 'not even that twice')
})

test('who has another key, none, or uses it for something else is told apart', () => {
  const packet = Buffer.from([1, 0, 0, 0, 0, 2])
  const to = sealOf(B)
  assert.equal(reasonOf(to, sealOf(A, [key(2)]).seal(packet, B)), 'sealed with another key')
  assert.equal(reasonOf(to, checksumSeal.seal(packet)), 'not sealed, and this node has a key')
  assert.equal(reasonOf(checksumSeal, to.seal(packet, A)), 'sealed with a key, and this node has none')
  const state = new KeyedSeal({ keys: new ClusterKeys([key(1)]), instance: A, purpose: 'state' })
  assert.equal(reasonOf(to, state.seal(packet, B)), 'forged or damaged')
  assert.equal(reasonOf(to, Buffer.from('GET / HTTP/1.1\r\n')), 'no packet')
})

test('keys change one node after the other: old and new, new and old, new', () => {
  const [a, b] = [new ClusterKeys([key(1)]), new ClusterKeys([key(1)])]
  const [atA, atB] = [a, b].map(
    (keys, i) => new KeyedSeal({ keys, instance: [A, B][i]!, purpose: 'packet' })
  ) as [KeyedSeal, KeyedSeal]
  const talk = (): string[] => [
    reasonOf(atB, atA.seal(Buffer.from('a'), B)),
    reasonOf(atA, atB.seal(Buffer.from('b'), A))
  ]
  for (const step of [[key(1), key(2)], [key(2), key(1)], [key(2)]]) {
    for (const keys of [a, b]) {
      keys.replaceBy(new ClusterKeys(step))
      assert.deepEqual(talk(), ['opened', 'opened'], step.join())
    }
  }
  b.replaceBy(new ClusterKeys([key(3)]))
  assert.deepEqual(talk(), ['sealed with another key', 'sealed with another key'])
})

test('a replay stays one when the key has changed meanwhile', () => {
  const keys = new ClusterKeys([key(1), key(2)])
  const [from, to] = [sealOf(A, [key(1)]), new KeyedSeal({ keys, instance: B, purpose: 'packet' })]
  const sealed = from.seal(Buffer.from('x'), B)
  assert.equal(reasonOf(to, sealed), 'opened')
  keys.replaceBy(new ClusterKeys([key(2), key(1)]))
  assert.equal(reasonOf(to, sealed), 'replayed')
  keys.replaceBy(new ClusterKeys([key(2)]))
  assert.equal(reasonOf(to, sealed), 'sealed with another key')
})

test('senders that are remembered are bounded, the longest silent goes first, and strangers push nobody out', () => {
  const to = sealOf(B, [key(1)], { sendersMax: 2 })
  const [a, c, d] = [A, C, 'd'.repeat(16)].map(instance => sealOf(instance)) as [
    KeyedSeal,
    KeyedSeal,
    KeyedSeal
  ]
  const [fromA, fromC] = [a.seal(Buffer.from('1'), B), c.seal(Buffer.from('1'), B)]
  to.open(fromA)
  to.open(fromC)
  for (let i = 0; i < 100; i++) {
    const forged = Buffer.from(a.seal(Buffer.from('x'), B))
    forged.writeUInt32BE(i, 5)
    assert.equal(reasonOf(to, forged), 'forged or damaged')
  }
  assert.deepEqual([reasonOf(to, fromA), reasonOf(to, fromC), to.forgotten], ['replayed', 'replayed', 0])
  to.open(d.seal(Buffer.from('1'), B))
  assert.equal(to.forgotten, 1)
  assert.equal(reasonOf(to, fromC), 'replayed')
})
