import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { ShoalError } from '../../broker/errors.ts'
import { FRAME, PROTOCOL_VERSION } from '../../broker/link/frame.ts'
import { createLink, LINK_LIMITS, type Link } from '../../broker/link/index.ts'
import { Simulation } from '../simulation/simulation.ts'
import {
  A,
  B,
  connect,
  contentOf,
  during,
  linkPair,
  messageOf,
  optionsOf,
  Recorder,
  type TestOptions
} from './support.ts'

function frame(type: number, body = ''): Buffer {
  const bytes = Buffer.from(body, 'hex')
  const header = Buffer.alloc(4)
  header.writeUInt32LE(bytes.length)
  header[3] = type
  return Buffer.concat([header, bytes])
}

test('both sides know each other after the handshake', async () => {
  const { a, b } = await linkPair()
  assert.deepEqual([a.peer, a.initiator], [B, true])
  assert.deepEqual([b.peer, b.initiator], [A, false])
})

test('messages, acknowledgements and barriers reach the other side, in order', async () => {
  const { simulation, a, atA, atB } = await linkPair()
  const topic = atA.topic('t')
  const published = messageOf(topic, 'one', 1)
  published.origin = atA.origin(A.instance)
  published.sequence = 7
  a.publish(published)
  const delivered = messageOf(topic, 'two')
  delivered.epoch = 3
  delivered.offset = 9
  a.deliver(delivered)
  a.barrier()
  a.fire('f', [1])
  a.publishAck(atA.origin(B.instance), 1, 1, 0)
  a.publishAck(atA.origin(B.instance), 2, 2, 0)
  a.deliverAck(1)
  a.deliverAck(2)
  await simulation.run(10)
  assert.deepEqual(atB.published.map(contentOf), [contentOf(published)])
  assert.deepEqual(atB.delivered.map(contentOf), [contentOf(delivered)])
  assert.equal(atB.published[0]!.topic, atB.topic('t'))
  assert.equal(atB.published[0]!.origin, atB.origin(A.instance))
  assert.deepEqual(atB.acks, [{ origin: B.instance, first: 1, last: 2, reason: 0 }])
  assert.deepEqual(atB.deliverAcks, [2])
  assert.deepEqual(atB.calls, ['publish', 'deliver', 'barrier', 'fire f', 'publishAck', 'deliverAck'])
})

test('all that is sent in one tick leaves in one write', async () => {
  const { simulation, a, atA } = await linkPair()
  const before = a.framesOut
  for (let i = 0; i < 100; i++) a.publish(messageOf(atA.topic('t'), 'x'))
  a.request('r', 1)
  const events = simulation.events
  await simulation.run(0)
  assert.equal(a.framesOut - before, 102)
  assert.ok(simulation.events - events <= 2)
})

test('a request is answered, fails with the error of the far side, or meets its deadline', async () => {
  const { simulation, a, atB } = await linkPair()
  const echo = await during(simulation, a.request('echo', { n: [1, null, 'ü'] }))
  assert.deepEqual(echo.body, { n: [1, null, 'ü'] })

  atB.onRequest = (_name, _body, reply) => reply.fail(new ShoalError('OWNER_MOVED', { key: 'k' }))
  await assert.rejects(during(simulation, a.request('r', 1)), { code: 'OWNER_MOVED', fields: { key: 'k' } })

  atB.onRequest = () => {}
  const started = simulation.now
  await assert.rejects(during(simulation, a.request('r', 1, { timeoutMs: 70 })), { code: 'TIMEOUT' })
  assert.equal(simulation.now - started, 70)
  assert.equal(a.pendingRequests, 0)
})

test('an answer that comes after the deadline is ignored', async () => {
  const { simulation, a, b, atB } = await linkPair()
  atB.onRequest = (_name, body, reply) => {
    simulation.after(200, () => reply.send(body))
  }
  await assert.rejects(during(simulation, a.request('r', 1, { timeoutMs: 100 })), { code: 'TIMEOUT' })
  await simulation.run(1000)
  atB.onRequest = (_name, body, reply) => reply.send(body)
  assert.equal((await during(simulation, a.request('r', 2))).body, 2)
  assert.equal(b.isClosed, false)
})

test('only the first answer counts', async () => {
  const { simulation, a, atB } = await linkPair()
  atB.onRequest = (_name, _body, reply) => {
    reply.send(1)
    reply.fail(new ShoalError('CLOSED'))
    reply.send(2)
  }
  assert.equal((await during(simulation, a.request('r', null))).body, 1)
})

test('a callback of a request is called between the frames around its reply', async () => {
  const { simulation, a, b, atA, atB } = await linkPair()
  const topic = atB.topic('t')
  atB.onRequest = (_name, body, reply) => {
    b.deliver(messageOf(topic, 'before'))
    reply.send(body)
    b.deliver(messageOf(topic, 'after'))
  }
  let seen = -1
  a.requestCallback('r', 1, 1000, () => {
    seen = atA.delivered.length
  })
  await simulation.run(20)
  assert.equal(seen, 1)
  assert.equal(atA.delivered.length, 2)
})

test('what cannot be sent fails at once and leaves the link alone', async () => {
  const { simulation, a, b } = await linkPair({ frameBytesMax: 200_000 })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  await assert.rejects(a.request('r', circle), { code: 'BAD_REQUEST' })
  await assert.rejects(a.request('r', 'x'.repeat(200_000)), { code: 'FRAME_TOO_LARGE' })
  await assert.rejects(a.request('r'.repeat(2000), 1), { code: 'BAD_REQUEST' })
  assert.equal((await during(simulation, a.request('r', 'x'.repeat(150_000)))).body, 'x'.repeat(150_000))
  assert.equal(b.isClosed, false)
})

test('an answer that cannot be sent fails the request', async () => {
  const { simulation, a, atB } = await linkPair()
  atB.onRequest = (_name, _body, reply) => reply.send(2n ** 100n)
  await assert.rejects(during(simulation, a.request('r', 1)), { code: 'BAD_REQUEST' })
})

test('more requests than the limit fail with LINK_FULL, on either side', async () => {
  const { simulation, a, atB } = await linkPair({ requestsMax: 3 }, { requestsMax: 2 })
  atB.onRequest = () => {}
  const errors: string[] = []
  for (let i = 0; i < 4; i++) {
    a.requestCallback('r', i, 1000, error => errors.push(`${i} ${error?.code}`))
  }
  assert.deepEqual(errors, [], 'never from within the call')
  await simulation.run(100)
  assert.deepEqual(errors, ['3 LINK_FULL', '2 LINK_FULL'])
})

test('a close lets all leave that was sent, and settles what is pending', async () => {
  const { simulation, a, b, atA, atB } = await linkPair()
  atB.onRequest = () => {}
  const pending = a.request('r', 1)
  pending.catch(() => {})
  for (let i = 0; i < 1000; i++) a.publish(messageOf(atA.topic('t'), Buffer.alloc(1000)))
  a.publishAck(atA.origin(B.instance), 1, 1, 0)
  await during(simulation, a.close())
  await assert.rejects(pending, { code: 'PEER_GONE' })
  await simulation.run(10)
  assert.equal(atB.published.length, 1000)
  assert.equal(atB.acks.length, 1)
  assert.deepEqual(atA.closings, [null])
  assert.deepEqual(atB.closings, [null])
  await assert.rejects(a.request('r', 1), { code: 'PEER_GONE' })
  a.publish(messageOf(atA.topic('t'), 'x'))
  a.fire('f', 1)
  a.barrier()
  await simulation.run(2000)
  for (const name of ['10.0.0.1', '10.0.0.2']) assert.equal(simulation.host(name).openTimers, 0)
  assert.equal(simulation.host('10.0.0.1').openSockets, 0)
  assert.equal(b.isClosed, true)
})

test('both sides may close at once', async () => {
  const { simulation, a, b, atA, atB } = await linkPair()
  await during(simulation, Promise.all([a.close(), b.close(), a.close()]))
  assert.deepEqual([atA.closings, atB.closings], [[null], [null]])
})

test('a close does not wait for ever for a peer that does not answer', async () => {
  const { simulation, a, atA } = await linkPair({ closeTimeoutMs: 300 })
  simulation.host('10.0.0.2').cut()
  const started = simulation.now
  await during(simulation, a.close())
  assert.equal(Math.round(simulation.now - started), 300)
  assert.deepEqual(atA.closings, [null])
})

test('a peer whose process dies is gone, and so is all that was asked of it', async () => {
  const { simulation, a, atA, atB } = await linkPair()
  atB.onRequest = () => {}
  const pending = a.request('r', 1)
  pending.catch(() => {})
  await simulation.run(10)
  simulation.host('10.0.0.2').crash()
  await simulation.run(10)
  await assert.rejects(pending, { code: 'PEER_GONE' })
  assert.deepEqual(
    atA.closings.map(reason => reason?.code),
    ['PEER_GONE']
  )
  assert.equal(simulation.host('10.0.0.1').openTimers, 0)
})

test('a peer that is silent is gone; one that has nothing to say is not', async () => {
  const { simulation, a, atA } = await linkPair({ heartbeatMs: 100, silenceMs: 500 })
  await simulation.run(10_000)
  assert.equal(a.isClosed, false)
  simulation.host('10.0.0.2').cut()
  const cutAt = simulation.now
  await simulation.until(() => a.isClosed, 1000)
  assert.ok(simulation.now - cutAt >= 500 && simulation.now - cutAt <= 610, `${simulation.now - cutAt} ms`)
  assert.equal(atA.closings[0]?.code, 'PEER_GONE')
})

test('a process that was stopped itself does not take that for the silence of its peer', async () => {
  const { simulation, a, b } = await linkPair(
    { heartbeatMs: 100, silenceMs: 500 },
    { heartbeatMs: 100, silenceMs: 60_000 }
  )
  simulation.host('10.0.0.1').pause()
  await simulation.run(5000)
  simulation.host('10.0.0.1').resume()
  await simulation.run(5000)
  assert.equal(a.isClosed || b.isClosed, false)
})

test('a slow peer: congestion is told, requests fail with LINK_FULL, QoS 0 is dropped, and all passes when it reads on', async () => {
  const bufferBytesMax = 1_000_000
  const { simulation, a, atA, atB } = await linkPair({ bufferBytesMax, silenceMs: 60_000 })
  simulation.host('10.0.0.2').pause()
  const topic = atA.topic('t')
  const payload = Buffer.alloc(1000)
  let sent = 0
  while (atA.congestions.length === 0) {
    a.publish(messageOf(topic, payload, 1))
    sent++
    await simulation.run(0)
  }
  assert.deepEqual(atA.congestions, [true])
  assert.ok(a.bufferedBytes > bufferBytesMax / 2 && a.bufferedBytes < bufferBytesMax / 2 + 70_000)
  while (a.dropped === 0) {
    a.publish(messageOf(topic, payload, 0))
    sent++
    await simulation.run(0)
  }
  assert.ok(a.bufferedBytes < bufferBytesMax + 70_000)
  await assert.rejects(a.request('r', 1), { code: 'LINK_FULL' })
  simulation.host('10.0.0.2').resume()
  await simulation.until(() => atB.published.length === sent - 1, 10_000)
  await simulation.run(10)
  assert.deepEqual(atA.congestions, [true, false])
  assert.equal((await during(simulation, a.request('r', 1))).body, 1)
})

test('a peer that never reads costs at most twice the buffer, then its link', async () => {
  const bufferBytesMax = 500_000
  const { simulation, a, atA } = await linkPair({ bufferBytesMax, silenceMs: 60_000 })
  simulation.host('10.0.0.2').pause()
  for (let i = 0; i < 5000; i++) {
    a.publish(messageOf(atA.topic('t'), Buffer.alloc(1000), 1))
    assert.ok(a.bufferedBytes < 2 * bufferBytesMax + 2 * 66_000)
  }
  await simulation.run(1)
  assert.equal(atA.closings[0]?.code, 'LINK_FULL')
})

test('a hello of another ring, of oneself or of a node that was not dialled is refused on both sides', async () => {
  const cases: {
    dialler: TestOptions
    acceptor: TestOptions
    reason: string
    ours: string
    theirs: string
  }[] = [
    { dialler: { ring: 'x' }, acceptor: { ring: 'y' }, reason: 'ring name', ours: 'x', theirs: 'y' },
    { dialler: { self: B }, acceptor: {}, reason: 'itself', ours: B.id, theirs: B.id },
    {
      dialler: { expect: '10.0.0.9:1' },
      acceptor: {},
      reason: 'not the node that was dialled',
      ours: '10.0.0.9:1',
      theirs: B.id
    }
  ]
  for (const { dialler, acceptor, reason, ours, theirs } of cases) {
    const simulation = new Simulation({ seed: 2 })
    const { fromA, atB } = await connect(simulation)
    const { clock } = simulation.host('10.0.0.1').runtime
    const clockB = simulation.host('10.0.0.2').runtime.clock
    const recorder = new Recorder()
    const both = Promise.allSettled([
      createLink(fromA, optionsOf(clock, A, recorder, { initiator: true, ...dialler })),
      createLink(atB, optionsOf(clockB, B, new Recorder(), acceptor))
    ])
    const [left, right] = await during(simulation, both)
    assert.ok(left.status === 'rejected' && right.status === 'rejected')
    const fields = left.reason.fields
    assert.deepEqual(
      [left.reason.code, fields.reason, fields.ours, fields.theirs],
      ['PEER_REFUSED', reason, ours, theirs]
    )
    assert.equal(right.reason.code, 'PEER_REFUSED')
    assert.deepEqual(
      [right.reason.fields.reason, right.reason.fields.ours, right.reason.fields.theirs],
      [reason, theirs, ours]
    )
    await simulation.run(2000)
    assert.equal(simulation.host('10.0.0.1').openTimers + simulation.host('10.0.0.1').openSockets, 0)
    assert.deepEqual(recorder.calls, [])
  }
})

test('another protocol version is refused, whatever else it says', async () => {
  const { link, stream } = await half()
  stream.write(frame(FRAME.HELLO, `${Buffer.from('shoal').toString('hex')}63ffff`))
  await assert.rejects(during(simulationOf(stream), link), {
    code: 'PEER_REFUSED',
    fields: { reason: 'protocol version', ours: PROTOCOL_VERSION, theirs: 99, peer: null, by: 'us' }
  })
})

test('nothing but a hello is accepted first, and a stranger that says nothing is dropped', async () => {
  for (const bytes of [
    frame(FRAME.REQUEST, '0101'),
    frame(FRAME.READY),
    frame(FRAME.HELLO, '00'),
    frame(FRAME.HELLO, `${Buffer.from('shoal').toString('hex')}0${PROTOCOL_VERSION}80`),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0xff, 0xff, 0xff, FRAME.HELLO])
  ]) {
    const { link, stream } = await half()
    stream.write(bytes)
    await assert.rejects(during(simulationOf(stream), link), (error: ShoalError) =>
      error.code.startsWith('FRAME_')
    )
  }
  const { link, stream } = await half()
  await assert.rejects(during(simulationOf(stream), link), { code: 'TIMEOUT' })
  const ended = await half()
  ended.stream.end()
  await assert.rejects(during(simulationOf(ended.stream), ended.link), { code: 'PEER_GONE' })
})

const simulations = new WeakMap<Duplex, Simulation>()

function simulationOf(stream: Duplex): Simulation {
  return simulations.get(stream)!
}

/** B waits for a handshake; whatever `stream` says is the peer. */
async function half(): Promise<{ link: Promise<Link>; stream: Duplex; atB: Recorder }> {
  const simulation = new Simulation({ seed: 3 })
  const { fromA, atB: duplex } = await connect(simulation)
  const atB = new Recorder()
  fromA.on('error', () => {})
  fromA.resume()
  const link = createLink(duplex, optionsOf(simulation.host('10.0.0.2').runtime.clock, B, atB))
  link.catch(() => {})
  simulations.set(fromA, simulation)
  return { link, stream: fromA, atB }
}

/** As `half`, but the handshake is done: bytes of `stream` are frames of an open link. */
async function forged(): Promise<{ link: Link; stream: Duplex; atB: Recorder; simulation: Simulation }> {
  const simulation = new Simulation({ seed: 4 })
  const { fromA, atB: duplex } = await connect(simulation)
  const atB = new Recorder()
  const both = Promise.all([
    createLink(
      fromA,
      optionsOf(simulation.host('10.0.0.1').runtime.clock, A, new Recorder(), { initiator: true })
    ),
    createLink(duplex, optionsOf(simulation.host('10.0.0.2').runtime.clock, B, atB))
  ])
  const [, link] = await during(simulation, both)
  return { link, stream: fromA, atB, simulation }
}

test('a frame that is not valid closes the link, once, and nothing else', async () => {
  const cases: [string, Buffer][] = [
    ['unknown type', frame(0x7f)],
    ['a second hello', frame(FRAME.HELLO, '00')],
    ['a barrier with a body', frame(FRAME.BARRIER, '00')],
    ['a publish without a topic', frame(FRAME.PUBLISH, '00')],
    ['a publish to an unnamed topic', frame(FRAME.PUBLISH, '0005')],
    [
      'a publish of QoS 3',
      Buffer.concat([frame(FRAME.DEFINE_TOPIC, '000061'), frame(FRAME.PUBLISH, '0300')])
    ],
    [
      'an unnamed origin',
      Buffer.concat([frame(FRAME.DEFINE_TOPIC, '000061'), frame(FRAME.PUBLISH, 'c0000001')])
    ],
    [
      'properties beyond the frame',
      Buffer.concat([frame(FRAME.DEFINE_TOPIC, '000061'), frame(FRAME.PUBLISH, '200005')])
    ],
    ['a number out of order', frame(FRAME.DEFINE_TOPIC, '050061')],
    ['a topic that is not UTF-8', frame(FRAME.DEFINE_TOPIC, '0000ff')],
    ['an instance that is none', frame(FRAME.DEFINE_ORIGIN, '0061')],
    ['a range that ends too high', frame(FRAME.PUBLISH_ACK, '0000ffffffffffffff0fffffffffffffff0f')],
    ['a count that goes on', frame(FRAME.DELIVER_ACK, '0100')],
    ['a request without a body', frame(FRAME.REQUEST, '01016100')],
    [
      'a request number again',
      Buffer.concat([frame(FRAME.REQUEST, '01016100c0'), frame(FRAME.REQUEST, '01016100c0')])
    ],
    ['a reply to nothing', frame(FRAME.REPLY, '0100c0')],
    ['a failure without a code', frame(FRAME.FAILURE, '01c0')],
    ['data for no stream', frame(FRAME.STREAM_DATA, '0161')],
    ['a stream that is neither read nor written', frame(FRAME.REQUEST, '01016101010001c0')],
    ['a stream with a number of ours', frame(FRAME.REQUEST, '0101610102010161c0')],
    [
      'more data than the credit',
      Buffer.concat([
        frame(FRAME.REQUEST, '0101610101010161c0'),
        frame(FRAME.STREAM_DATA, `01${'00'.repeat(LINK_LIMITS.streamBytes + 1)}`)
      ])
    ],
    [
      'data to a stream that only we write',
      Buffer.concat([frame(FRAME.REQUEST, '0101610101020161c0'), frame(FRAME.STREAM_DATA, '0100')])
    ]
  ]
  for (const [what, bytes] of cases) {
    const { link, stream, atB, simulation } = await forged()
    atB.onRequest = () => {}
    stream.write(bytes)
    await simulation.run(20)
    assert.equal(link.isClosed, true, what)
    assert.deepEqual(
      atB.closings.map(reason => reason?.code),
      ['FRAME_INVALID'],
      what
    )
  }
})

test('a frame that is too long closes the link before it is read', async () => {
  const { atB, stream, simulation } = await forgedWith({ frameBytesMax: 200_000 })
  stream.write(Buffer.from([0x41, 0x0d, 0x03, FRAME.PUBLISH]))
  await simulation.run(20)
  assert.deepEqual(
    atB.closings.map(reason => reason?.code),
    ['FRAME_TOO_LARGE']
  )
})

async function forgedWith(
  options: TestOptions
): Promise<{ stream: Duplex; atB: Recorder; simulation: Simulation }> {
  const simulation = new Simulation({ seed: 5 })
  const { fromA, atB: duplex } = await connect(simulation)
  const atB = new Recorder()
  const both = Promise.all([
    createLink(
      fromA,
      optionsOf(simulation.host('10.0.0.1').runtime.clock, A, new Recorder(), { initiator: true })
    ),
    createLink(duplex, optionsOf(simulation.host('10.0.0.2').runtime.clock, B, atB, options))
  ])
  await during(simulation, both)
  return { stream: fromA, atB, simulation }
}

test('random frames close a link at most, and never the process', async () => {
  const types = Object.values(FRAME)
  const frames = fc.array(fc.tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 12 })), {
    maxLength: 30
  })
  await fc.assert(
    fc.asyncProperty(frames, fc.boolean(), async (list, truncated) => {
      const { link, stream, atB, simulation } = await forged()
      let bytes = Buffer.concat(list.map(([type, body]) => frame(type, Buffer.from(body).toString('hex'))))
      if (truncated) bytes = bytes.subarray(0, bytes.length - 1)
      stream.write(bytes)
      await simulation.run(5)
      link.destroy()
      assert.equal(atB.closings.length, 1)
      await simulation.run(1500)
      assert.equal(simulation.host('10.0.0.2').openSockets, 1, 'the listener')
    }),
    { numRuns: 300 }
  )
})

test('frames that come with the end of the handshake are kept until the link is known', async () => {
  const simulation = new Simulation({ seed: 6 })
  const { fromA, atB: duplex } = await connect(simulation)
  const atB = new Recorder()
  let known = false
  let knownAtRequest = false
  atB.onRequest = (_name, _body, reply) => {
    knownAtRequest = known
    reply.send(null)
  }
  const clock = simulation.host('10.0.0.2').runtime.clock
  createLink(duplex, optionsOf(clock, B, atB)).then(() => {
    known = true
  })
  const a = await during(
    simulation,
    createLink(
      fromA,
      optionsOf(simulation.host('10.0.0.1').runtime.clock, A, new Recorder(), { initiator: true })
    )
  )
  await during(simulation, a.request('r', 1))
  assert.equal(knownAtRequest, true)
})
