// Runs as a gateway makes them, for tests: packets by mqtt-packet, one behind the other.
import { Buffer } from 'node:buffer'
import { generate } from 'mqtt-packet'
import { Message, type QoS, type TopicName } from '../../broker/message.ts'
import { behindTopic, type PacketVersion } from '../../broker/run.ts'

/** PUBLISH packets of one topic, with ids from `firstId` on at QoS 1 and 2. */
export function packetsOf(
  topic: string,
  payloads: readonly (string | Uint8Array)[],
  qos: QoS,
  protocolVersion: PacketVersion,
  firstId = 1
): Buffer {
  const packets = payloads.map((payload, i) =>
    generate(
      {
        cmd: 'publish',
        topic,
        payload: Buffer.from(payload),
        qos,
        dup: false,
        retain: false,
        ...(qos === 0 ? {} : { messageId: firstId + i })
      },
      { protocolVersion }
    )
  )
  return Buffer.concat(packets)
}

/** One message of all payloads, behind some bytes that are not its own; of one payload, a message with its packet. */
export function runOf(
  topic: TopicName,
  payloads: readonly (string | Uint8Array)[],
  qos: QoS,
  version: PacketVersion = 4
): Message {
  const before = 3
  const buffer = Buffer.concat([Buffer.alloc(before, 0xff), packetsOf(topic.name, payloads, qos, version)])
  const payloadStart = behindTopic(buffer, before) + (qos === 0 ? 0 : 2) + (version === 5 ? 1 : 0)
  const run = new Message(topic, buffer, payloadStart, buffer.length, qos, false)
  run.packetVersion = version
  run.packetStart = before
  run.count = payloads.length
  return run
}
