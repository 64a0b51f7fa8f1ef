import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ReceiveWindow, SendWindow } from '../../broker/link/window.ts'

// The model: a sender, a wire in each direction, and a buffer that is read.
type Act =
  | { do: 'send' | 'arrive' | 'read'; count: number }
  | { do: 'credit' }
  | { do: 'want'; count: number }

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constantFrom('send' as const, 'arrive' as const, 'read' as const),
      count: fc.nat({ max: 50 })
    }),
    fc.record({ do: fc.constant('credit' as const) }),
    fc.record({ do: fc.constant('want' as const), count: fc.nat({ max: 200 }) })
  ),
  { maxLength: 200 }
)

test('a window never overflows, and never starves a sender whose reader reads', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), acts, (size, script) => {
      const sender = new SendWindow(size)
      const receiver = new ReceiveWindow(size)
      let wanted = size
      let buffered = 0
      const sent: number[] = []
      const credits: number[] = []
      const read = (count: number): void => {
        buffered -= Math.min(buffered, count)
        const back = receiver.giveBack(buffered, wanted)
        if (back > 0) credits.push(back)
      }
      const arrive = (count: number): void => {
        receiver.received(count)
        buffered += count
        read(0)
      }
      for (const act of script) {
        if (act.do === 'send') {
          const count = Math.min(act.count, sender.credits)
          sender.spend(count)
          sent.push(count)
        } else if (act.do === 'arrive' && sent.length > 0) arrive(sent.shift()!)
        else if (act.do === 'read') read(act.count)
        else if (act.do === 'credit' && credits.length > 0) sender.add(credits.shift()!)
        else if (act.do === 'want') wanted = Math.max(wanted, act.count)
        assert.ok(buffered <= wanted, `${buffered} buffered of ${wanted}`)
      }
      for (const count of sent) arrive(count)
      read(buffered)
      for (const count of credits) sender.add(count)
      assert.ok(sender.credits > 0, 'all has been read, and nothing may be sent')
      assert.equal(sender.spent, receiver.total)
    })
  )
})

test('a sender that spends more than it was given, or gives more than a window can hold, is refused', () => {
  const receiver = new ReceiveWindow(10)
  receiver.received(10)
  assert.throws(() => receiver.received(1), { code: 'FRAME_INVALID' })
  assert.throws(() => new SendWindow(10).add(2 ** 31), { code: 'FRAME_INVALID' })
})
