// The data plane of a link, without sockets: a message of 64 bytes to a frame, and back.
import { Writable } from 'node:stream'
import { generate } from 'mqtt-packet'
import { DataReceiver } from '../../broker/link/data-receiver.ts'
import { DataSender } from '../../broker/link/data-sender.ts'
import { FRAME } from '../../broker/link/frame.ts'
import type { DataHandlers } from '../../broker/link/handlers.ts'
import { Reader } from '../../broker/link/reader.ts'
import { Writer } from '../../broker/link/writer.ts'
import { Message, type OriginName, type TopicName } from '../../broker/message.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Bench } from './bench.ts'

const FRAMES_PER_TICK = 256
const TOPICS = 1024
const RUN = 64

const still: Clock = {
  now: () => 0,
  wall: () => 0,
  after: () => ({ cancel() {} }),
  every: () => ({ cancel() {} }),
  defer() {}
}

const ours: OriginName = { instance: '1111111111111111' }
const theirs: OriginName = { instance: '2222222222222222' }

function topicOf(i: number): TopicName {
  const name = `plant/line/${i}/state`
  return { name, bytes: Buffer.from(name) }
}

function messageTo(topic: TopicName, qos: 0 | 1, i: number): Message {
  const message = new Message(topic, Buffer.alloc(64, 'x'), 0, 64, qos, false)
  if (qos > 0) message.origin = ours
  message.sequence = 100_000 + i
  message.epoch = 7
  message.offset = 5_000_000 + i
  return message
}

function senderTo(take: (bytes: Buffer) => unknown): { sender: DataSender; writer: Writer } {
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      take(chunk)
      done()
    }
  })
  Object.assign(sink, { takesCopies: true })
  const writer = new Writer(sink as never, still, 2 ** 40, { flushing() {}, moved() {} })
  return { sender: new DataSender(writer, ours, theirs, 2 ** 24 - 1, 65_536), writer }
}

function encodeBench(kind: 'publish' | 'deliver', qos: 0 | 1): Bench {
  return {
    name: `link: ${kind} of QoS ${qos} to a frame`,
    make() {
      const messages = Array.from({ length: TOPICS }, (_, i) => messageTo(topicOf(i), qos, i))
      const { sender, writer } = senderTo(() => {})
      return times => {
        for (let i = 0; i < times; i++) {
          const message = messages[i % TOPICS]!
          if (kind === 'publish') sender.publish(message)
          else sender.deliver(message)
          if (i % FRAMES_PER_TICK === 0) writer.flush()
        }
        return writer.bytesOut
      }
    }
  }
}

function decodeBench(kind: 'publish' | 'deliver', qos: 0 | 1): Bench {
  return {
    name: `link: ${kind} of QoS ${qos} from a frame`,
    make() {
      const topics = Array.from({ length: FRAMES_PER_TICK }, (_, i) => topicOf(i))
      const chunks: Buffer[] = []
      const { sender, writer } = senderTo(chunk => chunks.push(chunk))
      const send = (): Buffer => {
        for (const [i, topic] of topics.entries()) {
          const message = messageTo(topic, qos, i)
          if (kind === 'publish') sender.publish(message)
          else sender.deliver(message)
        }
        writer.flush()
        return Buffer.concat(chunks.splice(0))
      }
      const reader = readerOf(new Map(topics.map(topic => [topic.name, topic])))
      reader.push(send())
      const bytes = send()
      return times => {
        for (let i = 0; i < times; i += FRAMES_PER_TICK) reader.push(bytes)
        return reader.framesIn
      }
    }
  }
}

/** What a run of 64 messages costs, a message. */
function runBench(direction: 'to a frame' | 'from a frame'): Bench {
  return {
    name: `link: a run of ${RUN} ${direction}, a message`,
    make() {
      const topic = topicOf(1)
      const packet = generate(
        {
          cmd: 'publish',
          topic: topic.name,
          payload: Buffer.alloc(64, 'x'),
          qos: 0,
          dup: false,
          retain: false
        },
        { protocolVersion: 4 }
      )
      const packets = Buffer.concat(Array.from({ length: RUN }, () => packet))
      const run = new Message(topic, packets, packet.length - 64, packets.length, 0, false)
      run.packetVersion = 4
      run.count = RUN
      if (direction === 'to a frame') {
        const { sender, writer } = senderTo(() => {})
        return times => {
          for (let i = 0; i < times; i += RUN) sender.deliver(run)
          writer.flush()
          return writer.bytesOut
        }
      }
      const chunks: Buffer[] = []
      const { sender, writer } = senderTo(chunk => chunks.push(Buffer.from(chunk)))
      sender.deliver(run)
      writer.flush()
      const reader = readerOf(new Map([[topic.name, topic]]))
      reader.push(Buffer.concat(chunks.splice(0)))
      for (let i = 0; i < FRAMES_PER_TICK / RUN; i++) sender.deliver(run)
      writer.flush()
      const bytes = Buffer.concat(chunks)
      return times => {
        for (let i = 0; i < times; i += FRAMES_PER_TICK) reader.push(bytes)
        return reader.framesIn
      }
    }
  }
}

function readerOf(topics: ReadonlyMap<string, TopicName>): Reader {
  const node: DataHandlers = {
    topic: name => topics.get(name)!,
    origin: () => ours,
    publish() {},
    deliver() {},
    barrier() {},
    publishAck() {},
    deliverAck() {}
  }
  const receiver = new DataReceiver(node, theirs, ours, 65_536)
  let last: Message | null = null
  return new Reader(
    {
      frame(type, buffer, start, end) {
        if (type === FRAME.DEFINE_TOPIC) receiver.defineTopic(buffer, start, end)
        else last = receiver.message(type, buffer, start, end)
        if (last !== null && last.count === 1 && last.payloadEnd - last.payloadStart !== 64)
          throw new Error('not the message that was sent')
      }
    },
    2 ** 24 - 1
  )
}

export const linkBenches: Bench[] = [
  ...(['publish', 'deliver'] as const).flatMap(kind =>
    ([0, 1] as const).flatMap(qos => [encodeBench(kind, qos), decodeBench(kind, qos)])
  ),
  runBench('to a frame'),
  runBench('from a frame')
]
