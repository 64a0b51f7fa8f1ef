import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import {
  checkConnect,
  checkDisconnect,
  checkSubscribe,
  checkUnsubscribe
} from '../../../gateway/mqtt/check.ts'
import { parsePacket } from '../../../gateway/mqtt/control-packets.ts'
import { Header, type Version } from '../../../gateway/mqtt/decode.ts'
import {
  connect,
  disconnect,
  encoded,
  mutated,
  reframed,
  subscribe,
  unsubscribe,
  version
} from './packets.ts'

const header = new Header()

/** The reason of the gateway's own check of a framed packet. */
function check(bytes: Buffer, version: Version): number {
  if (header.read(bytes, 0, bytes.length) !== 1 || header.end !== bytes.length) return 0x81
  const { start, end } = header
  switch (bytes[0]) {
    case 0x10:
      return checkConnect(bytes, start, end).reason
    case 0x82:
      return checkSubscribe(bytes, start, end, version)
    case 0xa2:
      return checkUnsubscribe(bytes, start, end, version)
    case 0xe0:
      return checkDisconnect(bytes, start, end, version)
    default:
      return 0x81
  }
}

/** What passes the check must come out of mqtt-packet and go in again as the same bytes: nothing was guessed. */
function isReadWithoutGuessing(bytes: Buffer, version: Version): void {
  if (check(bytes, version) !== 0) return
  // What a short v5 DISCONNECT leaves out is not left to mqtt-packet.
  const short = bytes[0] === 0xe0 && bytes.length < 4 && version === 5
  const padded = short ? Buffer.from([0xe0, 2, bytes[2] ?? 0, 0]) : bytes
  const packet = parsePacket(padded, version)
  assert.ok(packet !== null, `mqtt-packet refuses ${bytes.toString('hex')}`)
  if (packet.cmd === 'connect' && packet.clientId === '' && packet.clean === false) return // mqtt-packet does not write it
  if (packet.cmd === 'connect' && packet.will?.topic === '') return // nor this; the topic is judged later
  if (packet.cmd === 'connect' && packet.username === undefined && packet.password !== undefined) return // nor this
  const again = generate(packet, { protocolVersion: version })
  // Properties may stand in another order.
  assert.deepEqual([...again].sort(), [...padded].sort(), bytes.toString('hex'))
}

const anyPacket: fc.Arbitrary<[Packet, Version]> = fc
  .tuple(fc.oneof(connect, subscribe, unsubscribe, disconnect), version)
  .map(([packet, version]) => [
    packet,
    packet.cmd === 'connect' ? (packet.protocolVersion as Version) : version
  ])

test('CONNECT, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT as mqtt-packet writes them pass, unless a text has U+0000', () => {
  fc.assert(
    fc.property(anyPacket, ([packet, version]) => {
      const bytes = encoded(packet, version)
      if (JSON.stringify(packet).includes('\\u0000') || hasWildcardResponse(packet)) return
      if (packet.cmd === 'disconnect' && version === 4) return
      assert.equal(check(bytes, version), 0, bytes.toString('hex'))
      isReadWithoutGuessing(bytes, version)
    })
  )
})

function hasWildcardResponse(packet: Packet): boolean {
  return (
    packet.cmd === 'subscribe' &&
    packet.subscriptions.some(({ topic, nl }) => topic.startsWith('$share') && nl === true)
  )
}

test('what passes the check is read by mqtt-packet without guessing, whatever bytes were changed', () => {
  const changed = anyPacket.chain(([packet, version]) =>
    fc.tuple(mutated(fc.constant(encoded(packet, version))).map(reframed), fc.constant(version))
  )
  fc.assert(
    fc.property(changed, ([bytes, version]) => isReadWithoutGuessing(bytes, version)),
    { numRuns: 5000 }
  )
})

test('arbitrary bodies are judged without a crash', () => {
  const bytes = fc
    .tuple(fc.constantFrom(0x10, 0x82, 0xa2, 0xe0), fc.uint8Array({ maxLength: 40 }))
    .map(([first, body]) => Buffer.from([first, body.length, ...body]))
  fc.assert(
    fc.property(bytes, version, (bytes, version) => isReadWithoutGuessing(bytes, version)),
    { numRuns: 3000 }
  )
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
    assert.equal(check(reframed(Buffer.from(hex.replaceAll(' ', ''), 'hex')), 4), reason, what)
  }
})

test('each fault of a SUBSCRIBE is refused with its reason', () => {
  const cases: [string, Version, string, number][] = [
    ['packet id 0', 4, '8200 0000 000161 00', 0x82],
    ['no filter', 4, '8200 0001', 0x82],
    ['QoS 3', 4, '8200 0001 000161 03', 0x82],
    ['reserved bits in 3.1.1', 4, '8200 0001 000161 04', 0x81],
    ['reserved bits in v5', 5, '8200 0001 00 000161 40', 0x81],
    ['retain handling 3', 5, '8200 0001 00 000161 30', 0x82],
    ['No Local on a shared subscription', 5, '8200 0001 00 000a2473686172652f672f61 04', 0x82],
    ['subscription identifier 0', 5, '8200 0001 020b00 000161 00', 0x82],
    ['subscription identifier twice', 5, '8200 0001 040b010b02 000161 00', 0x82],
    ['a filter cut short', 4, '8200 0001 000561', 0x81]
  ]
  for (const [what, version, hex, reason] of cases) {
    assert.equal(check(reframed(Buffer.from(hex.replaceAll(' ', ''), 'hex')), version), reason, what)
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
  header.read(bytes, 0, bytes.length)
  const { willProperties } = checkConnect(bytes, header.start, header.end)
  assert.equal(Buffer.from(willProperties!).toString('hex'), '03000a746578742f706c61696e260001610001' + '62')
})
