import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Lanes } from '../../../gateway/aedes/lanes.ts'
import { publisherOf } from '../../../gateway/aedes/packet.ts'

/** As a client of aedes does: true if the packet is delivered. */
function client(): (brokerId: string, counter: number) => boolean {
  const seen = new Map<string, number>()
  return (brokerId, counter) => {
    if ((seen.get(brokerId) ?? 0) >= counter) return false
    seen.set(brokerId, counter)
    return true
  }
}

test('numbers that rise stay in the lane of the broker itself', () => {
  const lanes = new Lanes()
  for (let counter = 1; counter < 100; counter += 7) assert.equal(lanes.laneOf('a', counter), 'a')
})

test('whatever the order in which packets come, a client drops none of them, and the broker can be told', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ broker: fc.constantFrom('a', 'b'), counter: fc.integer({ min: 1, max: 300 }) })),
      packets => {
        const lanes = new Lanes()
        const isDelivered = client()
        for (const { broker, counter } of packets) {
          const brokerId = lanes.laneOf(broker, counter)
          assert(isDelivered(brokerId, counter))
          assert.equal(publisherOf({ brokerId }), broker)
        }
      }
    )
  )
})

test('lanes are bounded, and a packet is delivered all the same', () => {
  const lanes = new Lanes()
  const isDelivered = client()
  for (let counter = 1000; counter > 0; counter--) assert(isDelivered(lanes.laneOf('a', counter), counter))
})
