import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { Message } from '../../broker/message.ts'

test('a detached message does not keep the chunk that it was read from', () => {
  const chunk = Buffer.alloc(65_536, 'payload and properties')
  const message = new Message({ name: 'a', bytes: Buffer.from('a') }, chunk, 10, 20, 1, true)
  message.properties = chunk.subarray(30, 40)
  const copy = message.detached()
  assert.deepEqual([...copy.payload()], [...message.payload()])
  assert.deepEqual([...copy.properties!], [...message.properties])
  assert.ok(copy.buffer.buffer.byteLength < 100, 'payload')
  assert.ok(copy.properties!.buffer.byteLength < 100, 'properties')
})
