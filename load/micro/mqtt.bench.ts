// The MQTT gateway without sockets: a PUBLISH of 64 bytes from a chunk to a message, and messages to the bytes
// that one subscriber's socket is given. mqtt-packet beside it for the measure.
import { generate, type IPublishPacket } from 'mqtt-packet'
import { Message, type TopicName } from '../../broker/message.ts'
import { RunView } from '../../broker/run.ts'
import { parsePacket } from '../../gateway/mqtt/control-packets.ts'
import { Header, PublishView, type Version } from '../../gateway/mqtt/decode.ts'
import { Encoder } from '../../gateway/mqtt/encode.ts'
import { Outbox } from '../../gateway/mqtt/outbox.ts'
import { Scratch } from '../../gateway/mqtt/scratch.ts'
import { TopicCache } from '../../gateway/mqtt/topic-cache.ts'
import type { ByteTransport } from '../../gateway/mqtt/transport.ts'
import type { Bench } from './bench.ts'

const PACKETS = 512
const RUN = 64
const topic: TopicName = { name: 'plant/line/4/state', bytes: Buffer.from('plant/line/4/state') }

class Sink implements ByteTransport {
  readonly remoteAddress = ''
  writable = true
  bytes = 0
  write(bytes: Uint8Array): void {
    this.bytes += bytes.length
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

function publishPacket(qos: 0 | 1, messageId: number): IPublishPacket {
  const payload = Buffer.alloc(64, 'x')
  return { cmd: 'publish', topic: topic.name, payload, qos, dup: false, retain: false, messageId }
}

function chunkOf(qos: 0 | 1, version: Version): Buffer {
  const packets = Array.from({ length: PACKETS }, (_, i) => publishPacket(qos, i + 1))
  return Buffer.concat(packets.map(packet => generate(packet, { protocolVersion: version })))
}

function decodeBench(qos: 0 | 1, version: Version): Bench {
  return {
    name: `mqtt: PUBLISH of QoS ${qos} and v${version} from a chunk to a message`,
    make() {
      const chunk = chunkOf(qos, version)
      const header = new Header()
      const view = new PublishView()
      const cache = new TopicCache({ topic: () => topic } as never)
      let last: Message | null = null
      return times => {
        let at = 0
        for (let i = 0; i < times; i++) {
          if (at === chunk.length) at = 0
          header.read(chunk, at, chunk.length)
          view.read(chunk, chunk[at]!, header.start, header.end, version)
          const found = cache.find(chunk, view.topicStart, view.topicEnd)!
          last = new Message(found, chunk, view.payloadStart, view.end, qos, view.retain)
          at = header.end
        }
        return last
      }
    }
  }
}

function scanBench(version: Version): Bench {
  return {
    name: `mqtt: packets of v${version} found to be a run, a packet`,
    make() {
      const chunk = chunkOf(0, version)
      const run = new RunView()
      return times => {
        for (let i = 0; i < times; i += PACKETS) {
          run.read(chunk, 0, chunk.length, 0x30, topic.bytes, version, PACKETS, Number.MAX_SAFE_INTEGER)
        }
        if (run.count !== PACKETS) throw new Error('not the run that was laid out')
        return run.end
      }
    }
  }
}

const oracle: Bench = {
  name: 'mqtt: PUBLISH of QoS 0 by mqtt-packet, a parser a packet',
  make() {
    const bytes = generate(publishPacket(0, 1), { protocolVersion: 4 })
    return times => {
      let last: unknown
      for (let i = 0; i < times; i++) last = parsePacket(bytes, 4)
      return last
    }
  }
}

function encodeBench(version: Version): Bench {
  return {
    name: `mqtt: a message to a PUBLISH of QoS 0 and v${version}`,
    make() {
      const encoder = new Encoder()
      const message = new Message(topic, Buffer.alloc(64, 'x'), 0, 64, 0, false)
      return times => {
        for (let i = 0; i < times; i++) encoder.write(message, version, 0, false, [])
        return encoder.end
      }
    }
  }
}

/** As for a subscriber of another version. */
function transcodeBench(): Bench {
  return {
    name: 'mqtt: a run of v5 to packets of v4, a packet',
    make() {
      const encoder = new Encoder()
      const chunk = chunkOf(0, 5)
      const bytes = chunk.length / PACKETS
      return times => {
        for (let i = 0; i < times; i += RUN) {
          const start = (i % PACKETS) * bytes
          const run = new Message(topic, chunk, start + bytes - 64, start + RUN * bytes, 0, false)
          run.count = RUN
          run.packetVersion = 5
          run.packetStart = start
          encoder.find(run, 4, 0)
        }
        return encoder.end
      }
    }
  }
}

/** To the outbox and out, 64 packets of one row at a time. */
function outboxRunBench(qos: 0 | 1): Bench {
  return {
    name: `mqtt: a run of QoS ${qos} to the outbox and out, a delivery`,
    make() {
      const chunk = chunkOf(qos, 4)
      const bytes = chunk.length / PACKETS
      const sink = new Sink()
      const outbox = new Outbox(sink, new Scratch())
      return times => {
        for (let i = 0; i < times; i += RUN) {
          const start = (i % PACKETS) * bytes
          if (qos === 0) outbox.push(chunk, start, start + RUN * bytes)
          else outbox.pushWithIds(chunk, start, start + RUN * bytes, (i & 0x7fff) + 1, RUN)
          outbox.flush()
        }
        return sink.bytes
      }
    }
  }
}

function outboxBench(qos: 0 | 1): Bench {
  return {
    name: `mqtt: a delivery of QoS ${qos} to the outbox and out`,
    make() {
      const chunk = chunkOf(qos, 4)
      const bytes = chunk.length / PACKETS
      const sink = new Sink()
      const outbox = new Outbox(sink, new Scratch())
      return times => {
        for (let i = 0; i < times; i++) {
          const start = (i % PACKETS) * bytes
          if (qos === 0) outbox.push(chunk, start, start + bytes)
          else outbox.pushWithIds(chunk, start, start + bytes, (i & 0xffff) + 1, 1)
          if (i % 64 === 63) outbox.flush()
        }
        return sink.bytes
      }
    }
  }
}

export const mqttBenches: readonly Bench[] = [
  decodeBench(0, 4),
  decodeBench(1, 4),
  decodeBench(0, 5),
  decodeBench(1, 5),
  scanBench(4),
  scanBench(5),
  oracle,
  encodeBench(4),
  encodeBench(5),
  transcodeBench(),
  outboxBench(0),
  outboxBench(1),
  outboxRunBench(0),
  outboxRunBench(1)
]
