// Cluster keys as they are written, and what is derived from them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { ClusterKey, ClusterKeys, KEYS_MAX } from '../broker/cluster-keys.ts'

const secret = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
/** Computed by hand: HMAC-SHA-256 of `shoal <purpose>`, a zero, the context, and a one. */
const GOLDEN = {
  id: '80261af8',
  packet: '66a93aaa30ae16698a331e21278992613fc721e03f375a2bc54bce152f970e28'
}
const other = Buffer.alloc(32, 7)

test('a key is the same in hexadecimal digits and in base64, with or without its padding', () => {
  const { id } = new ClusterKey(secret)
  const base64 = secret.toString('base64')
  for (const written of [
    secret.toString('hex'),
    base64,
    base64.replace('=', ''),
    secret.toString('base64url')
  ]) {
    assert.deepEqual(new ClusterKeys([written]).ids, [id])
  }
})

test('the derived bytes are the same in every version, and for each purpose others', () => {
  const key = new ClusterKey(secret)
  assert.equal(key.id, GOLDEN.id)
  assert.equal(key.derive('gossip packet', Buffer.alloc(8)).toString('hex'), GOLDEN.packet)
  const derived = ['a', 'b'].flatMap(purpose =>
    ['', 'x'].map(context => key.derive(purpose, Buffer.from(context)))
  )
  assert.equal(new Set(derived.map(bytes => bytes.toString('hex'))).size, 4)
})

test('a file has a key a line, the first to seal with, between comments and empty lines', () => {
  const text = `# old\r\n\n  ${other.toString('hex')}\r\n# new\n${secret.toString('base64')}\n\n`
  const keys = ClusterKeys.ofLines(text)
  assert.deepEqual(keys.ids, [new ClusterKey(other).id, new ClusterKey(secret).id])
  assert.equal(keys.first.id, keys.ids[0])
})

test('what is no key, the same twice, none, or too many is refused, and never shown', () => {
  const hex = secret.toString('hex')
  const many = Array.from({ length: KEYS_MAX + 1 }, (_, i) => Buffer.alloc(32, i).toString('hex'))
  for (const written of [
    [],
    [''],
    ['hunter2'],
    [`${hex}00`],
    [hex.slice(2)],
    [hex, secret.toString('base64')],
    many
  ]) {
    assert.throws(
      () => new ClusterKeys(written),
      (error: Error & { code?: string }) =>
        error.code === 'OPTION_INVALID' && written.every(one => one === '' || !error.message.includes(one))
    )
  }
  assert.doesNotMatch(
    inspect(new ClusterKeys([hex]), { depth: 9, showHidden: true }),
    /0001020304|00 01 02 03/
  )
})

test('replaced keys go at once, and those that stay are the same objects', () => {
  const keys = new ClusterKeys([secret.toString('hex')])
  const kept = keys.first
  keys.replaceBy(new ClusterKeys([other.toString('hex'), secret.toString('hex')]))
  assert.equal(keys.first.id, new ClusterKey(other).id)
  assert.equal(keys.get(kept.id), kept)
  keys.replaceBy(new ClusterKeys([other.toString('hex')]))
  assert.equal(keys.get(kept.id), undefined)
})
