// Arbitrary MQTT packets for property tests: valid ones as mqtt-packet writes them, and what becomes of them
// when bytes are changed, lost or added.
import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import type { Version } from '../../../gateway/mqtt/decode.ts'

export const version: fc.Arbitrary<Version> = fc.constantFrom<Version>(4, 5)

/** Strings, with what is easy to get wrong: nothing, NUL, wildcards, two to four bytes a character. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 8 }).filter(value => Buffer.from(value).toString() === value),
  fc.constantFrom('', 'a', 'a/b/c', '/', '$SYS/x', 'a/+', '#', 'a\0b', 'é', '你好', '🙂')
)
const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
const id = fc.integer({ min: 1, max: 65_535 })
const userProperties = fc.dictionary(text, text, { minKeys: 1, maxKeys: 3 }).map(values => ({ ...values }))

function some<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(model, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>
}

const publishProperties = some({
  payloadFormatIndicator: fc.boolean(),
  messageExpiryInterval: fc.nat(),
  responseTopic: text,
  correlationData: bytes,
  contentType: text,
  userProperties
})

export const publish: fc.Arbitrary<Packet> = fc
  .record({
    topic: text,
    payload: fc.oneof(bytes, fc.uint8Array({ minLength: 100, maxLength: 20_000 }).map(Buffer.from)),
    qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
    dup: fc.boolean(),
    retain: fc.boolean(),
    messageId: id,
    properties: publishProperties
  })
  .filter(packet => packet.topic !== '')
  .map(packet => ({ cmd: 'publish', ...packet }) as Packet)

export const connect: fc.Arbitrary<Packet> = fc
  .record({
    protocolVersion: version,
    clientId: text,
    keepalive: fc.integer({ min: 0, max: 65_535 }),
    username: fc.option(text, { nil: undefined }),
    properties: some({
      sessionExpiryInterval: fc.nat(),
      receiveMaximum: id,
      maximumPacketSize: fc.integer({ min: 1, max: 1_000_000 }),
      requestProblemInformation: fc.boolean(),
      userProperties
    }),
    will: fc.option(
      fc.record({
        topic: text.filter(value => value !== ''),
        payload: bytes,
        qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
        retain: fc.boolean(),
        properties: some({ willDelayInterval: fc.nat(), contentType: text, userProperties })
      }),
      { nil: undefined }
    )
  })
  .map(packet => ({ cmd: 'connect', protocolId: 'MQTT', clean: true, ...packet }) as Packet)

export const subscribe: fc.Arbitrary<Packet> = fc
  .record({
    messageId: id,
    subscriptions: fc.array(
      fc.record({
        topic: text.filter(value => value !== ''),
        qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
        nl: fc.boolean(),
        rap: fc.boolean(),
        rh: fc.integer({ min: 0, max: 2 })
      }),
      { minLength: 1, maxLength: 5 }
    ),
    properties: some({ subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }), userProperties })
  })
  .map(packet => ({ cmd: 'subscribe', ...packet }) as Packet)

export const unsubscribe: fc.Arbitrary<Packet> = fc
  .record({ messageId: id, unsubscriptions: fc.array(text, { minLength: 1, maxLength: 5 }) })
  .map(packet => ({ cmd: 'unsubscribe', ...packet }) as Packet)

export const disconnect: fc.Arbitrary<Packet> = fc
  .record({
    reasonCode: fc.constantFrom(0, 4, 0x81),
    properties: some({ sessionExpiryInterval: fc.nat(), userProperties })
  })
  .map(packet => ({ cmd: 'disconnect', ...packet }) as Packet)

/** The packet's bytes in a version. */
export function encoded(packet: Packet, protocolVersion: Version): Buffer {
  return generate(packet, { protocolVersion })
}

/** Bytes changed, cut out and put in, with the remaining length made right again most of the time. */
export function mutated(original: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.nat(80),
    cut: fc.nat(3),
    put: fc.uint8Array({ maxLength: 3 })
  })
  return fc
    .tuple(original, fc.array(change, { maxLength: 3 }), fc.integer({ min: 0, max: 9 }))
    .map(([bytes, changes, luck]) => {
      let result = bytes
      for (const { at, cut, put } of changes) {
        const place = Math.min(at, result.length)
        result = Buffer.concat([result.subarray(0, place), put, result.subarray(place + cut)])
      }
      return luck === 0 ? result : reframed(result)
    })
}

/** The same first byte and body with the remaining length that fits. */
export function reframed(packet: Buffer): Buffer {
  if (packet.length < 2) return Buffer.from([packet[0] ?? 0x30, 0])
  let at = 1
  while (at < packet.length && at < 5 && packet[at]! > 127) at++
  const body = packet.subarray(at + 1)
  return Buffer.concat([packet.subarray(0, 1), variable(body.length), body])
}

export function variable(value: number): Buffer {
  const result: number[] = []
  do {
    result.push((value & 0x7f) | (value > 127 ? 0x80 : 0))
    value >>>= 7
  } while (value > 0)
  return Buffer.from(result)
}
