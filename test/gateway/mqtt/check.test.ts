import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import { checkDisconnect, checkSubscribe, checkUnsubscribe } from '../../../gateway/mqtt/check.ts'
import { parsePacket } from '../../../gateway/mqtt/control-packets.ts'
import { Header, type Version } from '../../../gateway/mqtt/decode.ts'
import { disconnect, encoded, mutated, reframed, subscribe, unsubscribe, version } from './packets.ts'

const header = new Header()

/** The reason of the gateway's own check of a framed packet. */
function check(bytes: Buffer, version: Version): number {
  if (header.read(bytes, 0, bytes.length) !== 1 || header.end !== bytes.length) return 0x81
  const { start, end } = header
  switch (bytes[0]) {
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
  const again = generate(packet, { protocolVersion: version })
  // Properties may stand in another order.
  assert.deepEqual([...again].sort(), [...padded].sort(), bytes.toString('hex'))
}

const anyPacket: fc.Arbitrary<[Packet, Version]> = fc.tuple(
  fc.oneof(subscribe, unsubscribe, disconnect),
  version
)

test('SUBSCRIBE, UNSUBSCRIBE and DISCONNECT as mqtt-packet writes them pass, unless a text has U+0000', () => {
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
    .tuple(fc.constantFrom(0x82, 0xa2, 0xe0), fc.uint8Array({ maxLength: 40 }))
    .map(([first, body]) => Buffer.from([first, body.length, ...body]))
  fc.assert(
    fc.property(bytes, version, (bytes, version) => isReadWithoutGuessing(bytes, version)),
    { numRuns: 3000 }
  )
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
