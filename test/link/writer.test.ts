import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { HEADER_BYTES } from '../../broker/link/frame.ts'
import { Writer } from '../../broker/link/writer.ts'
import type { Clock } from '../../broker/runtime/clock.ts'

const still: Clock = {
  now: () => 0,
  wall: () => 0,
  after: () => ({ cancel() {} }),
  every: () => ({ cancel() {} }),
  defer() {}
}

/** Copies what it is given at once while it takes; else looks at it when it takes again, as a full socket does. */
class Socket extends Duplex {
  readonly takesCopies = true
  isTaking = true
  readonly taken: Buffer[] = []
  /** The largest piece that it was given. */
  largest = 0
  #waiting: { chunk: Uint8Array; done: () => void } | null = null

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.largest = Math.max(this.largest, chunk.length)
    this.#waiting = { chunk, done }
    if (this.isTaking) this.drink()
  }

  drink(): void {
    const waiting = this.#waiting
    this.#waiting = null
    if (waiting === null) return
    this.taken.push(Buffer.from(waiting.chunk))
    waiting.done()
  }
}

type Step = { do: 'frame' | 'large'; bytes: number } | { do: 'flush' | 'stick' | 'take' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('frame' as const, 'frame' as const, 'large' as const),
      bytes: fc.oneof(fc.nat(100), fc.nat(40_000))
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'stick' as const, 'take' as const) })
  }
)

test('memory that a socket has taken a copy of is written to again, and that which it has not is not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const socket = new Socket()
      const writer = new Writer(socket, still, 2 ** 30, { flushing() {}, moved() {} })
      const sent: Buffer[] = []
      let number = 0
      for (const step of steps) {
        if (step.do === 'frame' || step.do === 'large') {
          const body = Buffer.alloc(step.bytes, ++number)
          const header = Buffer.alloc(HEADER_BYTES)
          header.writeUInt32LE((body.length | (7 << 24)) >>> 0)
          sent.push(header, body)
          if (step.do === 'frame') writer.frame(7, body)
          else {
            writer.seal(7, writer.open(0), body.length)
            writer.append(body)
          }
        } else if (step.do === 'flush') writer.flush()
        else if (step.do === 'stick') socket.isTaking = false
        else {
          socket.isTaking = true
          socket.drink()
          await new Promise(resolve => setImmediate(resolve))
        }
      }
      writer.flush()
      socket.isTaking = true
      while (socket.writableLength > 0) {
        socket.drink()
        await new Promise(resolve => setImmediate(resolve))
      }
      const all = Buffer.concat(sent)
      assert.ok(Buffer.concat(socket.taken).equals(all), 'the bytes as they were sent')
      assert.equal(writer.bytesOut, all.length)
    }),
    { numRuns: 200 }
  )
})

test('a link that writes and writes to a socket that takes everything does so from one slab', () => {
  const socket = new Socket()
  const writer = new Writer(socket, still, 2 ** 30, { flushing() {}, moved() {} })
  const body = Buffer.alloc(30_000)
  for (let i = 0; i < 20; i++) writer.frame(7, body)
  const { slab } = writer
  for (let i = 0; i < 1000; i++) writer.frame(7, body)
  assert.equal(writer.slab, slab)
})
