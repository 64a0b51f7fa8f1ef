// The WebSocket gateway without sockets: a message of 64 bytes to its line of JSON, lines to one browser, and a
// browser's publish from its line.
import { Message, type TopicName } from '../../broker/message.ts'
import { MessageEncoder } from '../../gateway/websocket/encode.ts'
import { Outbox } from '../../gateway/websocket/outbox.ts'
import { payloadOf, readRequest } from '../../gateway/websocket/protocol.ts'
import type { Bench } from './bench.ts'

/** Deliveries that one browser gets in a tick. */
const LINES_PER_TICK = 64
const topic: TopicName = { name: 'plant/line/4/state', bytes: Buffer.from('plant/line/4/state') }

function messageOf(payload: string): Message {
  const bytes = Buffer.from(payload.padEnd(64, 'x'))
  const message = new Message(topic, bytes, 0, bytes.length, 0, false)
  message.epoch = 1_700_000_000_000
  message.offset = 123_456
  return message
}

function encodeBench(kind: string, payload: string): Bench {
  return {
    name: `websocket: a message ${kind} to its line`,
    make() {
      const encoder = new MessageEncoder()
      const message = messageOf(payload)
      return times => {
        let bytes = 0
        for (let i = 0; i < times; i++) {
          message.json = null
          bytes += encoder.encode(message).length
        }
        return bytes
      }
    }
  }
}

const outboxBench: Bench = {
  name: 'websocket: a delivery to the outbox and out',
  make() {
    const encoder = new MessageEncoder()
    const lines = Array.from({ length: LINES_PER_TICK }, () => encoder.encode(messageOf('plain')))
    let sent = 0
    const sink = {
      buffered: () => 0,
      send(frame: Uint8Array): void {
        sent += frame.length
      }
    }
    const outbox = new Outbox(sink, 2 ** 20)
    return times => {
      for (let i = 0; i < times; i++) {
        outbox.push(lines[i % LINES_PER_TICK]!, true)
        if (i % LINES_PER_TICK === LINES_PER_TICK - 1) outbox.flush()
      }
      return sent
    }
  }
}

const readBench: Bench = {
  name: 'websocket: a publish from its line to a payload',
  make() {
    const text = 'x'.repeat(64)
    const line = JSON.stringify({ t: 'publish', id: 100_000_000, topic: topic.name, qos: 0, text })
    return times => {
      let bytes = 0
      for (let i = 0; i < times; i++) {
        const request = readRequest(line)
        if (request.t === 'publish') bytes += payloadOf(request).length
      }
      return bytes
    }
  }
}

export const websocketBenches: readonly Bench[] = [
  encodeBench('of plain text', 'plain'),
  encodeBench('with quotes', '"'),
  outboxBench,
  readBench
]
