// The rows a connection keeps, each against the plainest thing that does the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Acknowledgements } from '../../../gateway/mqtt/acknowledgements.ts'
import { Backlog } from '../../../gateway/mqtt/backlog.ts'
import { Inflight } from '../../../gateway/mqtt/inflight.ts'
import { PacketQueue } from '../../../gateway/mqtt/packet-queue.ts'
import { Slab } from '../../../gateway/mqtt/slab.ts'
import { packetsOf } from '../../support/runs.ts'

test('ids in flight are those that were taken and not acknowledged, in whatever order that is done', () => {
  const step = fc.oneof(fc.constant('take' as const), fc.nat(70_000), fc.constant('oldest' as const))
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.nat(200_000),
      fc.array(step, { maxLength: 300 }),
      (max, begin, steps) => {
        const inflight = new Inflight(max)
        inflight.first = begin
        inflight.next = begin
        const model: number[] = []
        for (const step of steps) {
          if (step === 'take') {
            if (inflight.room === 0) continue
            const id = inflight.take(1)
            assert.ok(id >= 1 && id <= 65_535 && !model.includes(id))
            model.push(id)
          } else {
            const id = step === 'oldest' ? model[0] : (model[step % (model.length + 1)] ?? step)
            if (id === undefined) continue
            const place = model.indexOf(id)
            assert.equal(inflight.acknowledge(id), place >= 0)
            if (place >= 0) model.splice(place, 1)
          }
          assert.equal(inflight.count, model.length)
          assert.ok(model.length <= max)
        }
        while (model.length > 0) assert.ok(inflight.acknowledge(model.pop()!))
        assert.ok(inflight.room > 0)
      }
    )
  )
})

test('a window of all ids goes round without giving one twice', () => {
  const inflight = new Inflight(65_535)
  const first = Array.from({ length: 65_535 }, () => inflight.take(1))
  assert.equal(new Set(first).size, 65_535)
  assert.equal(inflight.room, 0)
  assert.ok(inflight.acknowledge(1))
  assert.equal(inflight.take(1), 1)
})

test('PUBACKs leave in the order of their PUBLISHes, whatever the order they are settled in', () => {
  const order = fc.shuffledSubarray([...Array(40).keys()], { minLength: 40 })
  fc.assert(
    fc.property(order, fc.integer({ min: 1, max: 7 }), (order, every) => {
      const acknowledgements = new Acknowledgements()
      const target = Buffer.alloc(400)
      for (let i = 0; i < 40; i++) assert.equal(acknowledgements.open(1000 + i), i)
      let at = 0
      const settled = new Set<number>()
      order.forEach((token, i) => {
        acknowledgements.settle(token, 0, 1)
        acknowledgements.settle(token, 0x80, 1) // the second time does nothing
        settled.add(token)
        if (i % every === 0) at = acknowledgements.write(target, at, 5)
        let run = 0
        while (settled.has(run)) run++
        if (i % every === 0) assert.equal(at, run * 4)
      })
      at = acknowledgements.write(target, at, 5)
      assert.equal(acknowledgements.count, 0)
      for (let i = 0; i < 40; i++) assert.equal(target.readUInt16BE(i * 4 + 2), 1000 + i)
    })
  )
})

test('a reason other than success is told to v5 only', () => {
  const target = Buffer.alloc(16)
  for (const [version, hex] of [
    [4, '40020007'],
    [5, '4003000710']
  ] as const) {
    const acknowledgements = new Acknowledgements()
    acknowledgements.settle(acknowledgements.open(7), 0x10, 1)
    const end = acknowledgements.write(target, 0, version)
    assert.equal(target.subarray(0, end).toString('hex'), hex)
  }
})

test('packets leave a queue as they came in, as many at once as there is room for, and large ones too', () => {
  const row = fc.record({
    qos: fc.constantFrom<0 | 1>(0, 1),
    sizes: fc.array(fc.oneof(fc.nat(40), fc.nat(20_000)), { minLength: 1, maxLength: 5 })
  })
  const room = fc.record({ countMax: fc.nat(9), bytesMax: fc.nat(30_000), idsMax: fc.nat(6) })
  fc.assert(
    fc.property(fc.array(fc.oneof(row, room), { maxLength: 100 }), steps => {
      const queue = new PacketQueue()
      const model: { bytes: Buffer; qos: 0 | 1 }[] = []
      for (const step of steps) {
        if ('sizes' in step) {
          const { qos, sizes } = step
          const packets = sizes.map(size => packetsOf('t', [Buffer.alloc(size, size)], qos, 4))
          const bytes = Buffer.concat([Buffer.from('..'), ...packets])
          queue.add(bytes, 2, bytes.length, packets.length)
          model.push(...packets.map(packet => ({ bytes: packet, qos })))
        } else {
          const found = queue.find(step.countMax, step.bytesMax, step.idsMax)
          const taken = model.splice(0, found)
          const bytes = Buffer.concat(taken.map(({ bytes }) => bytes))
          assert.ok(found <= step.countMax && bytes.length <= step.bytesMax)
          assert.ok(taken.every(({ qos }) => qos === taken[0]?.qos))
          assert.ok(taken[0]?.qos !== 1 || found <= step.idsMax)
          if (found > 0) assert.equal(queue.qos, taken[0]?.qos)
          assert.deepEqual(queue.buffer.subarray(queue.start, queue.end), bytes)
          queue.shift()
        }
        assert.equal(queue.count, model.length)
        assert.equal(
          queue.bytes,
          model.reduce((sum, { bytes }) => sum + bytes.length, 0)
        )
      }
      while (model.length > 0) {
        const taken = queue.find(1, Number.MAX_SAFE_INTEGER, 1)
        assert.equal(taken, 1, 'with room there is always a next')
        assert.deepEqual(queue.buffer.subarray(queue.start, queue.end), model.shift()?.bytes)
        queue.shift()
      }
    }),
    { numRuns: 50 }
  )
})

test('bytes leave a backlog as they came in', () => {
  const piece = fc.uint8Array({ minLength: 1, maxLength: 20_000 })
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.constant(null)), { maxLength: 40 }), steps => {
      const backlog = new Backlog(Buffer.alloc(0))
      const put: Uint8Array[] = []
      const got: Uint8Array[] = []
      for (const step of steps) {
        if (step === null) {
          const bytes = backlog.shift()
          if (bytes !== null) got.push(bytes)
        } else {
          backlog.reserve(step.length + 10)
          backlog.buffer.set(step, backlog.start)
          backlog.commit(step.length)
          put.push(step)
        }
      }
      for (let bytes = backlog.shift(); bytes !== null; bytes = backlog.shift()) got.push(bytes)
      assert.equal(backlog.bytes, 0)
      assert.deepEqual(Buffer.concat(got), Buffer.concat(put))
    }),
    { numRuns: 50 }
  )
})

test('what a slab gives lies one behind the other and is never given again', () => {
  const slab = new Slab()
  slab.take(100)
  const { buffer, start } = slab
  slab.take(50)
  assert.equal(slab.buffer, buffer)
  assert.equal(slab.start, start + 100)
  slab.take(20_000)
  assert.notEqual(slab.buffer, buffer, 'a large packet has its own memory')
  for (let i = 0; i < 1400; i++) slab.take(50)
  assert.notEqual(slab.buffer, buffer)
})
