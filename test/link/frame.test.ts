// The bytes on the wire, frame by frame: a change of any of these is a change of the protocol.
import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { ShoalError } from '../../broker/errors.ts'
import { DataSender } from '../../broker/link/data-sender.ts'
import { FRAME } from '../../broker/link/frame.ts'
import { Requests } from '../../broker/link/requests.ts'
import { Streams } from '../../broker/link/streams.ts'
import { Writer } from '../../broker/link/writer.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import { messageOf } from './support.ts'

const written: Buffer[] = []
const clock: Clock = {
  now: () => 0,
  wall: () => 0,
  after: () => ({ cancel() {} }),
  every: () => ({ cancel() {} }),
  defer() {}
}
const sink = new Duplex({
  read() {},
  write(chunk, _encoding, done) {
    written.push(chunk)
    done()
  }
})
const writer = new Writer(sink, clock, 1 << 20, { flushing() {}, moved() {} })

/** What `send` wrote, in hex, a frame a string. */
function framesOf(send: () => void): string[] {
  send()
  writer.flush()
  let bytes = Buffer.concat(written.splice(0))
  const frames: string[] = []
  while (bytes.length > 0) {
    const end = 4 + bytes.readUIntLE(0, 3)
    frames.push(bytes.subarray(0, end).toString('hex'))
    bytes = bytes.subarray(end)
  }
  return frames
}

const ours = { instance: '0123456789abcdef' }
const theirs = { instance: 'fedcba9876543210' }
const third = { instance: '00000000000000ff' }
const topic = { name: 'a/b', bytes: Buffer.from('a/b') }

test('data plane', () => {
  const sender = new DataSender(writer, ours, theirs, 1 << 20, 100)
  const message = messageOf(topic, 'hi')
  assert.deepEqual(
    framesOf(() => sender.publish(message)),
    ['05000010' + '0000' + '612f62', '04000012' + '00' + '00' + '6869']
  )
  assert.deepEqual(
    framesOf(() => sender.publish(message)),
    ['04000012' + '00' + '00' + '6869']
  )

  const full = messageOf(topic, 'hi', 1, true)
  full.origin = ours
  full.sequence = 300
  full.hops = 2
  full.properties = Buffer.from([1, 1])
  assert.deepEqual(
    framesOf(() => sender.publish(full)),
    ['09000012' + '75' + '00' + 'ac02' + '020101' + '6869']
  )

  full.epoch = 5
  full.offset = 128
  full.origin = theirs
  assert.deepEqual(
    framesOf(() => sender.deliver(full)),
    ['05000010' + '0005' + '612f62', '0b000013' + 'a5' + '00' + '8001' + 'ac02' + '020101' + '6869']
  )
  full.origin = third
  full.properties = null
  assert.deepEqual(
    framesOf(() => sender.deliver(full)),
    [
      `1100001100${Buffer.from(third.instance).toString('hex')}`,
      '09000013' + 'c5' + '00' + '8001' + '00' + 'ac02' + '6869'
    ]
  )
  assert.deepEqual(
    framesOf(() => writer.empty(FRAME.BARRIER)),
    ['00000014']
  )
  assert.deepEqual(
    framesOf(() => sender.publishAck(theirs, 300, 302, 0x10)),
    ['05000015' + '01' + '10' + 'ac02' + '02']
  )
  assert.deepEqual(
    framesOf(() => sender.publishAck(third, 1, 1, 0)),
    ['04000015' + '02' + '00' + '01' + '00']
  )
  assert.deepEqual(
    framesOf(() => sender.deliverAck(128)),
    ['02000016' + '8001']
  )
})

test('requests and streams', () => {
  const streams = new Streams(writer, {
    initiator: true,
    streamsMax: 10,
    frameBytesMax: 1 << 20,
    room: { bytes: 100, objects: 10 },
    given: { bytes: 100, objects: 10 }
  })
  const requests = new Requests(
    writer,
    streams,
    { peerId: 'peer', requestsMax: 10, frameBytesMax: 1 << 20, clock },
    { request() {}, fire() {} }
  )
  const local = new Duplex({ read() {}, write() {}, readableObjectMode: true })
  assert.deepEqual(
    framesOf(() => requests.send('add', 1, {}, 1000, () => {})),
    ['07000020' + '01' + '03616464' + '00' + '01']
  )
  assert.deepEqual(
    framesOf(() => requests.send('s', null, { x: local }, 1000, () => {})),
    ['09000020' + '02' + '0173' + '01' + '01' + '07' + '0178' + 'c0']
  )
  assert.deepEqual(
    framesOf(() => requests.fire('add', [])),
    ['05000021' + '03616464' + '90']
  )
  assert.deepEqual(
    framesOf(() => requests.reply(7, true, {})),
    ['03000022' + '07' + '00' + 'c3']
  )
  const failure = '82' + 'a4636f6465' + 'a754494d454f5554' + 'a66669656c6473' + '81' + 'a16101'
  const failed = framesOf(() => requests.fail(8, new ShoalError('TIMEOUT', { a: 1 })))
  assert.deepEqual(failed, [`1a00002308${failure}`])
  assert.deepEqual(
    framesOf(() => streams.data(1, Buffer.from('xyz'), 1, 3)),
    ['03000030' + '01' + '797a']
  )
  assert.deepEqual(
    framesOf(() => streams.object(1, 'x')),
    ['03000030' + '01' + 'a178']
  )
  assert.deepEqual(
    framesOf(() => streams.end(1)),
    ['01000031' + '01']
  )
  assert.deepEqual(
    framesOf(() => streams.abort(1, 'no')),
    ['04000032' + '01' + '026e6f']
  )
  assert.deepEqual(
    framesOf(() => streams.credit(1, 200)),
    ['03000033' + '01' + 'c801']
  )
})
