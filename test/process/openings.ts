// How a proper conversation with each port of a node begins, in bytes: to be cut short, damaged, or followed by
// nonsense.
import { generate, type Packet } from 'mqtt-packet'
import { FRAME, FRAME_BYTES_MAX, PROTOCOL_VERSION } from '../../broker/link/frame.ts'
import { encodeValue } from '../../broker/link/value.ts'
import { hashKey } from '../../broker/ring/hash.ts'
import { encodeNack, encodePacket } from '../../broker/swim/codec.ts'
import { checksumSeal } from '../../broker/swim/seal.ts'

/** The name of the cluster that nodes have by default. */
const RING = 'shoal'

export function mqttConnect(version: 4 | 5, clientId: string, keepalive = 0): Buffer {
  const common = { cmd: 'connect', protocolId: 'MQTT', clean: true } as const
  const will = { topic: 'garbage/will', payload: Buffer.from('gone'), qos: 1, retain: false } as const
  return generate({ ...common, protocolVersion: version, clientId, keepalive, will })
}

export function mqttSubscribe(version: 4 | 5, topic: string, qos: 0 | 1): Buffer {
  return generate(
    { cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos }] },
    { protocolVersion: version }
  )
}

/** All that a client may say, once. */
export function mqttConversation(version: 4 | 5, clientId: string): Buffer {
  const publish = { cmd: 'publish', topic: 'garbage/a', payload: 'hi', retain: false, dup: false } as const
  const packets: Packet[] = [
    { ...publish, qos: 0 },
    { ...publish, qos: 1, messageId: 2 },
    { cmd: 'puback', messageId: 1 },
    { cmd: 'pingreq' },
    { cmd: 'unsubscribe', messageId: 3, unsubscriptions: ['garbage/#'] },
    { cmd: 'disconnect' }
  ]
  return Buffer.concat([
    mqttConnect(version, clientId),
    mqttSubscribe(version, 'garbage/#', 1),
    ...packets.map(packet => generate(packet, { protocolVersion: version }))
  ])
}

export function webSocketUpgrade(protocol?: string): Buffer {
  const lines = [
    'GET / HTTP/1.1',
    'Host: 127.0.0.1',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`])
  ]
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`)
}

/** A frame of text (or of bytes) of a WebSocket client, masked with zeros. Up to 65,535 bytes. */
export function webSocketFrame(payload: string | Buffer): Buffer {
  const body = Buffer.from(payload)
  const header = Buffer.alloc(8)
  header[0] = typeof payload === 'string' ? 0x81 : 0x82
  header[1] = 0x80 | 126
  header.writeUInt16BE(body.length, 2)
  return Buffer.concat([header, body])
}

/** All that a client may say after the upgrade, once. */
export function webSocketConversation(): Buffer {
  const requests = [
    { t: 'connect', version: 1 },
    { t: 'subscribe', id: 1, filter: 'garbage/#' },
    { t: 'publish', id: 2, topic: 'garbage/a', text: 'hi', qos: 1 },
    { t: 'unsubscribe', id: 3, filter: 'garbage/#' }
  ]
  return Buffer.concat(requests.map(request => webSocketFrame(JSON.stringify(request))))
}

export function httpPublish(): Buffer {
  const body = JSON.stringify({ topic: 'garbage/a', text: 'hi', qos: 1 })
  const head = 'POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json'
  return Buffer.from(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
}

/** Of a link: its length, its type, its body. */
export function linkFrame(type: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32LE(body.length)
  header[3] = type
  return Buffer.concat([header, body])
}

/** The handshake of a link by a node that is no member. What follows it comes over an open link. */
export function linkOpening(attempt: number): Buffer {
  const hello = {
    id: '127.0.0.1:1',
    instance: attempt.toString(16).padStart(16, '0'),
    ring: RING,
    expect: null,
    attempt,
    standing: 0,
    frameBytesMax: FRAME_BYTES_MAX,
    topicsMax: 1024,
    streamBytes: 65_536,
    streamObjects: 16
  }
  const greeting = Buffer.concat([Buffer.from('shoal'), Buffer.from([PROTOCOL_VERSION]), encodeValue(hello)])
  return Buffer.concat([linkFrame(FRAME.HELLO, greeting), linkFrame(FRAME.READY, Buffer.alloc(0))])
}

/** A packet of gossip that its receiver opens and decodes: an answer to no question, then `rest`. */
export function gossip(rest: Uint8Array): Uint8Array {
  return checksumSeal.seal(encodePacket(hashKey(RING), [encodeNack(7), rest]))
}
