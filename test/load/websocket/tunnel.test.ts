import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ShoalError } from '../../../broker/errors.ts'
import { Tunnel } from '../../../load/websocket/tunnel.ts'

const ANSWER = Buffer.from('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n')

/** A server's frame. */
function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  header[0] = 0x80 | opcode
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127
  if (header.length === 4) header.writeUInt16BE(length, 2)
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([header, payload])
}

/** Puts `bytes` through a tunnel, cut at `cuts`. */
function through(bytes: Buffer, cuts: readonly number[]) {
  const heard = { upgraded: 0, pings: [] as string[], errors: [] as ShoalError[], stream: Buffer.alloc(0) }
  const tunnel = new Tunnel({
    upgraded: () => {
      heard.upgraded += 1
    },
    pinged: payload => heard.pings.push(payload.toString()),
    failed: error => heard.errors.push(error)
  })
  const places = [...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const place of places) {
    const memory = Buffer.concat([Buffer.from('before'), bytes.subarray(from, place)])
    const end = tunnel.unwrap(memory, 6, memory.length)
    assert.equal(memory.toString('latin1', 0, 6), 'before')
    heard.stream = Buffer.concat([heard.stream, memory.subarray(6, end)])
    from = place
  }
  return heard
}

test('a stream comes out of its frames as it went in, wherever reads cut it', () => {
  const part = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ opcode: fc.constantFrom(0, 2), bytes: fc.uint8Array({ maxLength: 300 }) })
    },
    fc.record({ opcode: fc.constantFrom(9, 10), bytes: fc.uint8Array({ maxLength: 125 }) })
  )
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.nat(), { maxLength: 12 }), (parts, cuts) => {
      const heard = through(
        Buffer.concat([ANSWER, ...parts.map(({ opcode, bytes }) => frame(opcode, bytes))]),
        cuts
      )
      const data = parts.filter(({ opcode }) => opcode < 8).map(({ bytes }) => bytes)
      assert.deepEqual(heard.stream, Buffer.concat(data))
      assert.equal(heard.pings.length, parts.filter(({ opcode }) => opcode === 9).length)
      assert.deepEqual([heard.upgraded, heard.errors], [1, []])
    })
  )
})

test('frames of every length field are taken off', () => {
  for (const length of [0, 125, 126, 65_535, 65_536]) {
    const payload = Buffer.alloc(length, 'x')
    assert.deepEqual(through(Buffer.concat([ANSWER, frame(2, payload)]), [70, 71]).stream, payload)
  }
})

test('a refused upgrade, a close and a control frame that is too long are failures', () => {
  const codes = (bytes: Buffer) => through(bytes, []).errors.map(({ code }) => code)
  assert.deepEqual(codes(Buffer.from('HTTP/1.1 503 Service Unavailable\r\n\r\n')), ['PEER_REFUSED'])
  assert.deepEqual(codes(Buffer.alloc(20_000, 'x')), ['PEER_REFUSED'])
  assert.deepEqual(codes(Buffer.concat([ANSWER, frame(8, Buffer.from([3, 232]))])), ['PEER_GONE'])
  assert.deepEqual(codes(Buffer.concat([ANSWER, frame(9, Buffer.alloc(126))])), ['FRAME_INVALID'])
})
