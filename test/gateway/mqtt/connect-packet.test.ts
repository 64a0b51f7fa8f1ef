import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type IConnectPacket, type Packet } from 'mqtt-packet'
import { type ConnectReading, readConnect } from '../../../gateway/mqtt/connect-packet.ts'
import { parsePacket } from '../../../gateway/mqtt/control-packets.ts'
import { Header, type Version } from '../../../gateway/mqtt/decode.ts'
import {
  AUTHENTICATION_DATA,
  AUTHENTICATION_METHOD,
  hasProperty,
  MAXIMUM_PACKET_SIZE,
  numberOf,
  RECEIVE_MAXIMUM,
  USER_PROPERTY
} from '../../../gateway/mqtt/properties.ts'
import { connect, encoded, mutated, reframed } from './packets.ts'

const SESSION_EXPIRY = 0x11
const REQUEST_PROBLEM_INFORMATION = 0x17
const header = new Header()

function read(bytes: Buffer): ConnectReading {
  if (header.read(bytes, 0, bytes.length) !== 1 || header.end !== bytes.length || bytes[0] !== 0x10) {
    return { reason: 0x81, version: null, packet: null }
  }
  return readConnect(bytes, header.start, header.end)
}

/** What we read is what mqtt-packet reads, and it writes the same bytes again: nothing was guessed. */
function isReadAsMqttPacketReadsIt(bytes: Buffer): void {
  const original = Buffer.from(bytes)
  const { reason, version, packet } = read(bytes)
  // The chunk is not looked at later.
  bytes.fill(0xaa)
  if (packet === null) return assert.notEqual(reason, 0)
  const oracle = parsePacket(original, packet.version) as IConnectPacket | null
  const hex = original.toString('hex')
  assert.ok(oracle !== null, `mqtt-packet refuses ${hex}`)
  assert.equal(reason, 0)
  assert.equal(version, packet.version)
  assert.equal(packet.version, oracle.protocolVersion)
  assert.equal(packet.clean, oracle.clean)
  assert.equal(packet.keepAliveSeconds, oracle.keepalive)
  assert.equal(packet.clientId, oracle.clientId)
  assert.equal(packet.username, oracle.username ?? null)
  assert.deepEqual(packet.password, oracle.password ?? null)
  const { properties } = packet
  const wanted = oracle.properties
  assert.equal(numberOf(properties, SESSION_EXPIRY, -1), wanted?.sessionExpiryInterval ?? -1)
  assert.equal(numberOf(properties, RECEIVE_MAXIMUM, -1), wanted?.receiveMaximum ?? -1)
  assert.equal(numberOf(properties, MAXIMUM_PACKET_SIZE, -1), wanted?.maximumPacketSize ?? -1)
  assert.equal(
    numberOf(properties, REQUEST_PROBLEM_INFORMATION, -1),
    Number(wanted?.requestProblemInformation ?? -1)
  )
  assert.equal(hasProperty(properties, USER_PROPERTY), wanted?.userProperties !== undefined)
  assert.equal(hasProperty(properties, AUTHENTICATION_METHOD), wanted?.authenticationMethod !== undefined)
  assert.equal(hasProperty(properties, AUTHENTICATION_DATA), wanted?.authenticationData !== undefined)
  const { will } = packet
  assert.equal(will?.topic, oracle.will?.topic)
  assert.deepEqual(will?.payload, oracle.will?.payload)
  assert.equal(will?.qos, oracle.will?.qos)
  assert.equal(will?.retain, oracle.will?.retain)

  if (packet.clientId === '' && !packet.clean) return // mqtt-packet does not write it
  if (will?.topic === '') return // nor this; the topic is judged later
  if (packet.username === null && packet.password !== null) return // nor this
  const again = generate(oracle, { protocolVersion: packet.version })
  // Properties may stand in another order.
  assert.deepEqual([...again].sort(), [...original].sort(), hex)
}

const bytesOfConnect = connect.map(packet =>
  encoded(packet, (packet as IConnectPacket).protocolVersion as Version)
)

test('CONNECT as mqtt-packet writes it is read as mqtt-packet reads it, unless a text has U+0000', () => {
  fc.assert(
    fc.property(connect, packet => {
      const bytes = encoded(packet, (packet as IConnectPacket).protocolVersion as Version)
      if (!JSON.stringify(packet).includes('\\u0000'))
        assert.equal(read(bytes).reason, 0, bytes.toString('hex'))
      isReadAsMqttPacketReadsIt(bytes)
    })
  )
})

test('CONNECT with changed, lost and added bytes is read alike, or refused', () => {
  fc.assert(
    fc.property(mutated(bytesOfConnect).map(reframed), bytes =>
      isReadAsMqttPacketReadsIt(Buffer.from(bytes))
    ),
    { numRuns: 5000 }
  )
})

test('arbitrary bodies of a CONNECT are judged without a crash', () => {
  const start = fc.constantFrom('00044d515454', '00044d51545404', '00044d51545405', '')
  const bytes = fc
    .tuple(start, fc.uint8Array({ maxLength: 40 }))
    .map(([hex, body]) => reframed(Buffer.concat([Buffer.from([0x10, 0]), Buffer.from(hex, 'hex'), body])))
  fc.assert(fc.property(bytes, isReadAsMqttPacketReadsIt), { numRuns: 3000 })
})

test('each fault of a CONNECT is refused with its reason', () => {
  const cases: [string, string, number][] = [
    ['reserved flag set [MQTT-3.1.2-3]', '100c00044d51545404030000', 0x81],
    ['will QoS 3', '1012 00044d515454041e0000 0000 000161 0000', 0x81],
    ['will retain without will', '100c00044d51545404220000 0000', 0x81],
    ['password without user name in 3.1.1', '100f00044d515454044200000000 0000', 0x81],
    ['receive maximum 0', '100f00044d51545405020000 03210000 0000', 0x82],
    ['maximum packet size 0', '100f00044d51545405020000 052700000000 0000', 0x82],
    ['receive maximum twice', '100f00044d51545405020000 06210001210001 0000', 0x82],
    ['a property of another packet', '100f00044d51545405020000 03230001 0000', 0x82],
    ['an unknown property', '100f00044d51545405020000 027e00 0000', 0x81],
    ['request problem information 2', '100f00044d51545405020000 021702 0000', 0x82],
    ['bytes behind the end', '100f00044d51545404020000 0000 ff', 0x81],
    ['client id with U+0000', '100f00044d51545404020000 000100', 0x81],
    ['client id with a surrogate', '100f00044d51545404020000 0003eda080', 0x81],
    ['version 3.1', '1000 00064d514973647003020000 000161', 0x84],
    ['version 6', '1000 00044d51545406020000 00', 0x84],
    ['another protocol', '1000 000448545450 04020000 0000', 0x84]
  ]
  for (const [what, hex, reason] of cases) {
    assert.equal(read(reframed(Buffer.from(hex.replaceAll(' ', ''), 'hex'))).reason, reason, what)
  }
})

test("a will's properties are kept as they are, without its delay", () => {
  const will = {
    topic: 'w',
    payload: Buffer.from('x'),
    qos: 0 as const,
    properties: { willDelayInterval: 5, contentType: 'text/plain', userProperties: { a: 'b' } }
  }
  const bytes = encoded({ cmd: 'connect', protocolVersion: 5, clientId: 'c', will } as Packet, 5)
  const { packet } = read(bytes)
  assert.equal(
    Buffer.from(packet!.will!.properties!).toString('hex'),
    '03000a746578742f706c61696e260001610001' + '62'
  )
})
