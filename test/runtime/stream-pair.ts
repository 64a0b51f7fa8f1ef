// What two ends of a stream may do to each other, and what must come of it: for a stream through memory as for a socket.
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import fc from 'fast-check'
import type { Network } from '../../broker/runtime/network.ts'
import { withDeadline } from '../support/deadline.ts'

export type Act =
  | { readonly end: 0 | 1; readonly act: 'write'; readonly sizes: readonly number[] }
  | { readonly end: 0 | 1; readonly act: 'end' | 'destroy' | 'pause' | 'resume' | 'wait' }

const end = fc.constantFrom(0 as const, 1 as const)
const size = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 400_000 }))

/** Destroying is rarer than the rest, since it ends all. */
export const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        end,
        act: fc.constant('write' as const),
        sizes: fc.array(size, { minLength: 1, maxLength: 3 })
      })
    },
    {
      weight: 6,
      arbitrary: fc.record({
        end,
        act: fc.constantFrom('pause' as const, 'resume' as const, 'wait' as const)
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({ end, act: fc.constantFrom('end' as const, 'end' as const, 'destroy' as const) })
    }
  ),
  { maxLength: 30 }
)

/** One end: what it was given to send, what it got, and how it came out. */
class End {
  readonly stream: Duplex
  readonly #seed: number
  sent = 0
  received = 0
  /** The first byte that is not the one that was sent. */
  wrongAt: number | null = null
  hasEnded = false
  isDestroyed = false
  sawEnd = false
  error: Error | null = null
  readonly closed: Promise<void>

  constructor(stream: Duplex, seed: number) {
    this.stream = stream
    this.#seed = seed
    stream.on('data', (chunk: Buffer) => {
      for (const byte of chunk) {
        if (byte !== byteAt(1 - this.#seed, this.received)) this.wrongAt ??= this.received
        this.received++
      }
    })
    stream.on('end', () => {
      this.sawEnd = true
    })
    stream.on('error', error => {
      this.error = error
    })
    this.closed = new Promise(resolve => stream.on('close', resolve))
  }

  write(sizes: readonly number[]): void {
    if (this.hasEnded || this.isDestroyed) return
    this.stream.cork()
    for (const bytes of sizes) {
      const chunk = Buffer.allocUnsafe(bytes)
      for (let i = 0; i < bytes; i++) chunk[i] = byteAt(this.#seed, this.sent + i)
      this.sent += bytes
      this.stream.write(chunk)
    }
    this.stream.uncork()
  }
}

function byteAt(seed: number, place: number): number {
  return (place * 31 + (place >> 8) * 7 + seed * 101) & 0xff
}

/**
 * Does `history` to the two ends of a stream, then lets both read on and end. Asserts: bytes arrive in order and
 * unchanged; if nobody destroyed anything, all of them and then the end, without an error; and both ends close in any case.
 */
export async function checkHistory(near: Network, far: Network, history: readonly Act[]): Promise<void> {
  let accepted: (stream: Duplex) => void = () => {}
  const incoming = new Promise<Duplex>(resolve => {
    accepted = resolve
  })
  const listener = await far.listen({ host: '127.0.0.1', port: 0 }, stream => accepted(stream))
  const ends = [
    new End(await near.connect(listener.address, 5000), 0),
    new End(await withDeadline(incoming, 'the connection'), 1)
  ] as const
  try {
    for (const step of history) await perform(ends[step.end], step)
    for (const one of ends) {
      one.stream.resume()
      if (!one.hasEnded && !one.isDestroyed) one.stream.end()
    }
    await withDeadline(Promise.all(ends.map(({ closed }) => closed)), 'both ends to close')
    check(ends[0], ends[1])
    check(ends[1], ends[0])
  } finally {
    for (const { stream } of ends) stream.destroy()
    await listener.close()
  }
}

async function perform(one: End, step: Act): Promise<void> {
  if (step.act === 'wait') await new Promise(resolve => setImmediate(resolve))
  else if (step.act === 'write') one.write(step.sizes)
  else if (step.act === 'end') {
    one.hasEnded = true
    if (!one.isDestroyed) one.stream.end()
  } else if (step.act === 'destroy') {
    one.isDestroyed = true
    one.stream.destroy()
  } else one.stream[step.act]()
}

function check(sender: End, receiver: End): void {
  assert.equal(receiver.wrongAt, null, 'a byte that was not sent, or not there')
  assert.ok(receiver.received <= sender.sent)
  if (sender.isDestroyed || receiver.isDestroyed) return
  assert.equal(sender.error, null)
  assert.equal(receiver.received, sender.sent)
  assert.ok(receiver.sawEnd)
}
