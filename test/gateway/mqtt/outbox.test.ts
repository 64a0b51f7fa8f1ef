import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { behindTopic, packetEnd } from '../../../broker/run.ts'
import { Acknowledgements } from '../../../gateway/mqtt/acknowledgements.ts'
import { Outbox } from '../../../gateway/mqtt/outbox.ts'
import { Scratch } from '../../../gateway/mqtt/scratch.ts'
import type { ByteTransport } from '../../../gateway/mqtt/transport.ts'
import { packetsOf } from '../../support/runs.ts'

/** Looks at the bytes it is given as late as a socket may: at once if it takes them, else when it takes them. */
class LateTransport implements ByteTransport {
  readonly remoteAddress = ''
  writable = true
  taking = true
  taken: Buffer[] = []
  #given: Uint8Array[] = []

  write(bytes: Uint8Array): void {
    this.#given.push(bytes)
    this.writable = this.taking
    if (this.taking) this.take()
  }

  take(): void {
    for (const bytes of this.#given.splice(0)) this.taken.push(Buffer.from(bytes))
    this.writable = true
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

type Step =
  | { do: 'push' | 'pushWithIds'; client: number; at: number; length: number }
  | { do: 'flush' | 'stick' | 'take' | 'acknowledge'; client: number }

const client = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('push' as const, 'pushWithIds' as const),
      client,
      at: fc.nat(60),
      length: fc.integer({ min: 4, max: 90 })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      client,
      at: fc.nat(5),
      length: fc.integer({ min: 20_000, max: 90_000 })
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('flush' as const, 'stick' as const, 'take' as const, 'acknowledge' as const),
      client
    })
  }
)

test('each client gets its bytes, its ids in them, whatever its network and the others do', () => {
  const chunk = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251))
  // Packets of QoS 1 are taken from rows of such, whose payloads go up in length.
  const rows = packetsOf(
    't',
    Array.from({ length: 60 }, (_, i) => 'x'.repeat(i * 3)),
    1,
    4
  )
  const ends = [0]
  while (ends.at(-1)! < rows.length) ends.push(packetEnd(rows, ends.at(-1)!))
  const before = Buffer.from(rows)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), steps => {
      const scratch = new Scratch()
      const clients = Array.from({ length: 3 }, () => {
        const transport = new LateTransport()
        const outbox = new Outbox(transport, scratch)
        const acknowledgements = new Acknowledgements()
        outbox.acknowledgements = acknowledgements
        return { transport, outbox, acknowledgements, place: 0, id: 65_500, packets: [] as Buffer[], acks: 0 }
      })
      for (const step of steps) {
        const client = clients[step.client]!
        const { outbox, transport } = client
        switch (step.do) {
          case 'pushWithIds': {
            const first = step.at % 60
            const count = 1 + (step.length % (60 - first))
            const [start, end] = [ends[first]!, ends[first + count]!]
            const packets = Buffer.from(rows.subarray(start, end))
            for (let i = 0; i < count; i++) {
              const at = behindTopic(rows, ends[first + i]!) - start
              packets.writeUInt16BE(((client.id + i) % 65_535) + 1, at)
            }
            outbox.pushWithIds(rows, start, end, client.id + 1, count)
            client.id = (client.id + count) % 65_535
            client.packets.push(packets)
            break
          }
          case 'push': {
            // Half of the packets lie behind the last one.
            const start = step.at < 30 && client.place + step.length < chunk.length ? client.place : step.at
            const end = start + step.length
            client.place = end
            outbox.push(chunk, start, end)
            client.packets.push(Buffer.from(chunk.subarray(start, end)))
            break
          }
          case 'flush':
            outbox.flush()
            break
          case 'stick':
            transport.taking = false
            break
          case 'take':
            transport.taking = true
            transport.take()
            outbox.onWritable()
            break
          case 'acknowledge':
            client.acknowledgements.settle(client.acknowledgements.open(0xabcd), 0, 1)
            client.acks++
            break
        }
      }
      for (const { transport, outbox, packets, acks } of clients) {
        transport.taking = true
        transport.take()
        outbox.onWritable()
        assert.equal(outbox.bytes, 0)
        const all = Buffer.concat(transport.taken)
        assert.equal(all.length, acks * 4 + packets.reduce((sum, packet) => sum + packet.length, 0))
        assert.deepEqual(withoutAcks(all, packets), Buffer.concat(packets))
      }
      assert.ok(
        chunk.every((byte, i) => byte === i % 251),
        'what is shared is never written to'
      )
      assert.deepEqual(rows, before)
    }),
    { numRuns: 300 }
  )
})

/** The bytes without the PUBACKs that stand between packets. */
function withoutAcks(all: Buffer, packets: Buffer[]): Buffer {
  const ack = Buffer.from([0x40, 2, 0xab, 0xcd])
  const rest: Buffer[] = []
  let at = 0
  for (const packet of packets) {
    while (ack.equals(all.subarray(at, at + 4)) && !packet.subarray(0, 4).equals(ack)) at += 4
    rest.push(all.subarray(at, at + packet.length))
    at += packet.length
  }
  return Buffer.concat(rest)
}
