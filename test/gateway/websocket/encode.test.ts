// A message's line of JSON, and the outbox that gathers lines.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Message, type TopicName } from '../../../broker/message.ts'
import type { MessageFrame } from '../../../client-js/wire.ts'
import { MessageEncoder } from '../../../gateway/websocket/encode.ts'
import { Outbox, type Sink } from '../../../gateway/websocket/outbox.ts'

function messageOf(topic: string, payload: Uint8Array, epoch = 1, offset = 1, shift = 0): Message {
  const name: TopicName = { name: topic, bytes: Buffer.from(topic) }
  const buffer = new Uint8Array(payload.length + shift + 3)
  buffer.set(payload, shift)
  const message = new Message(name, buffer, shift, shift + payload.length, 0, false)
  message.epoch = epoch
  message.offset = offset
  return message
}

function parse(line: Uint8Array): MessageFrame {
  const text = Buffer.from(line).toString('utf8')
  assert.equal(text.at(-1), '\n')
  assert.equal(text.indexOf('\n'), text.length - 1)
  return JSON.parse(text) as MessageFrame
}

function payloadOf({ p, b }: MessageFrame): Buffer {
  assert.ok((p === undefined) !== (b === undefined))
  return p === undefined ? Buffer.from(b!, 'base64') : Buffer.from(p)
}

class FakeSink implements Sink {
  unsent = 0
  readonly frames: string[] = []

  buffered(): number {
    return this.unsent
  }

  send(frame: Uint8Array): void {
    this.frames.push(Buffer.from(frame).toString('latin1'))
  }
}

describe('a message as JSON', () => {
  const integers = fc.oneof(fc.nat(), fc.maxSafeNat())
  const payloads = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary', maxLength: 100 }).map(text => Buffer.from(text)),
    fc.string({ maxLength: 100 }).map(text => Buffer.from(text))
  )

  test('any topic and payload comes back as it was', () => {
    const encoder = new MessageEncoder()
    const topics = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(topics, payloads, integers, integers, fc.nat(9), (topic, payload, epoch, offset, shift) => {
        const message = messageOf(topic, payload, epoch, offset, shift)
        const frame = parse(encoder.encode(message))
        assert.deepEqual([frame.m, frame.e, frame.o, frame.r], [topic, epoch, offset, undefined])
        assert.deepEqual(payloadOf(frame), Buffer.from(payload))
        const retained = parse(encoder.encodeRetained(message, offset % 268_435_456))
        assert.deepEqual([retained.r, retained.s], [1, offset % 268_435_456])
        assert.deepEqual(payloadOf(retained), Buffer.from(payload))
      }),
      { numRuns: 2_000 }
    )
  })

  test('it is encoded once', () => {
    const encoder = new MessageEncoder()
    const message = messageOf('a', Buffer.from('x'))
    assert.equal(encoder.encode(message), encoder.encode(message))
  })

  test('a payload of megabytes is one line', () => {
    const encoder = new MessageEncoder()
    for (const payload of [
      Buffer.alloc(2_000_000, 'x'),
      Buffer.alloc(2_000_000, '"'),
      Buffer.alloc(2_000_000, 255)
    ]) {
      assert.deepEqual(payloadOf(parse(encoder.encode(messageOf('a', payload)))), payload)
    }
  })

  test('lines that were taken are never written to again', () => {
    const encoder = new MessageEncoder()
    const lines: { line: Uint8Array; text: string }[] = []
    for (let i = 0; i < 5_000; i++) {
      const line = encoder.encode(messageOf('topic', Buffer.from(i % 3 === 0 ? `"${i}` : String(i)), 1, i))
      lines.push({ line, text: Buffer.from(line).toString() })
    }
    for (const { line, text } of lines) assert.equal(Buffer.from(line).toString(), text)
  })
})

describe('an outbox', () => {
  test('sends everything, in order, in one frame a flush', () => {
    const lines = fc.array(fc.record({ size: fc.integer({ min: 1, max: 40_000 }), shared: fc.boolean() }), {
      maxLength: 30
    })
    fc.assert(
      fc.property(lines, specs => {
        const sink = new FakeSink()
        const outbox = new Outbox(sink, 1_000)
        const slab = Buffer.alloc(2_000_000)
        let end = 0
        let expected = ''
        for (const [index, { size, shared }] of specs.entries()) {
          const text = String.fromCharCode(97 + (index % 26)).repeat(size)
          expected += text
          if (shared) {
            slab.write(text, end, 'latin1')
            outbox.push(slab.subarray(end, end + size), true)
            end += size
          } else {
            outbox.push(Buffer.from(text), false)
          }
        }
        outbox.flush()
        assert.equal(sink.frames.join(''), expected)
        assert.ok(sink.frames.length <= 1 + expected.length / 100_000)
        assert.ok(outbox.isEmpty)
      }),
      { numRuns: 100 }
    )
  })

  test('two with the same lines share one piece of memory', () => {
    const slab = Buffer.from('one\ntwo\n')
    const frames: Uint8Array[] = []
    const sink: Sink = { buffered: () => 0, send: frame => frames.push(frame) }
    for (const outbox of [new Outbox(sink, 100), new Outbox(sink, 100)]) {
      outbox.push(slab.subarray(0, 4), true)
      outbox.push(slab.subarray(4, 8), true)
      outbox.flush()
    }
    assert.equal(frames.length, 2)
    assert.equal(frames[0], frames[1])
    assert.equal(frames[0]!.buffer, slab.buffer)
  })

  test('counts what is missed once the socket has too much unsent, and takes nothing more', () => {
    const sink = new FakeSink()
    const outbox = new Outbox(sink, 100)
    sink.unsent = 60
    outbox.push(Buffer.alloc(40, 'a'), true)
    outbox.flush()
    assert.equal(outbox.isFull, false)
    for (let i = 0; i < 3; i++) outbox.push(Buffer.alloc(20, 'b'), true)
    outbox.flush()
    assert.equal(outbox.missed, 3)
    outbox.push(Buffer.alloc(1, 'c'), true)
    outbox.push(Buffer.alloc(1, 'c'), false)
    outbox.flush()
    assert.equal(outbox.missed, 4)
    assert.equal(sink.frames.length, 1)
  })

  test('takes a message that is larger than its bound when nothing waits', () => {
    const sink = new FakeSink()
    const outbox = new Outbox(sink, 100)
    outbox.push(Buffer.alloc(500_000, 'a'), true)
    outbox.flush()
    assert.equal(outbox.isFull, false)
    assert.equal(sink.frames.join('').length, 500_000)
  })
})
