// What ours promises beyond the original: everything is settled, everything has a bound, and what comes from the other
// side is not trusted.
import assert from 'node:assert/strict'
import { Duplex, PassThrough, Readable } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import {
  type Received,
  RemoteError,
  type Tentacoli,
  type TentacoliOptions,
  tentacoli
} from '../../broker/tentacoli/index.ts'
import { Simulation } from '../simulation/simulation.ts'
import { withDeadline } from '../support/deadline.ts'

function pair(options: TentacoliOptions = {}, far: TentacoliOptions = options): [Tentacoli, Tentacoli] {
  const [a, b] = [tentacoli(options), tentacoli(far)]
  a.pipe(b).pipe(a)
  for (const each of [a, b]) each.on('error', () => {})
  return [a, b]
}

function answering(instance: Tentacoli): Tentacoli {
  return instance.on('request', (message, reply) => reply(null, message))
}

function settled<T>(promise: Promise<T>): Promise<T> {
  return withDeadline(promise, 'an answer')
}

test('without a callback a request returns a promise, and values keep their types', async () => {
  const [a, b] = pair()
  answering(b)
  const message = { bytes: Buffer.from([1, 2]), at: new Date(7), none: undefined, list: [1, 'two', null] }
  const answer = await settled(a.request<typeof message>(message))
  assert.deepEqual({ ...answer, bytes: Buffer.from(answer.bytes) }, message)
})

test('messages leave in both directions at once', async () => {
  const [a, b] = pair()
  answering(a)
  answering(b)
  assert.deepEqual(await settled(Promise.all([a.request({ of: 'a' }), b.request({ of: 'b' })])), [
    { of: 'a' },
    { of: 'b' }
  ])
})

test('a request before the connection stands waits for it, and fails by its deadline', async () => {
  const simulation = new Simulation({ seed: 1 })
  const { runtime } = simulation.host('10.0.0.1')
  const [a, b] = [tentacoli({ runtime, timeoutMs: 500 }), tentacoli()]
  let code = ''
  a.request({}, error => {
    code = (error as { code?: string } | null)?.code ?? ''
  })
  assert.equal(a.inflight, 1)
  await simulation.run(400)
  assert.equal(code, '')
  await simulation.run(200)
  assert.equal(code, 'TIMEOUT')
  assert.equal(a.inflight, 0)
  const late = answering(b) && a.request({ late: true })
  a.pipe(b).pipe(a)
  for (let i = 0; i < 20; i++) {
    await turn()
    await simulation.run(1)
  }
  assert.deepEqual(await settled(late), { late: true })
})

test('a handler that never answers costs its caller the deadline, and its streams', async () => {
  const [a, b] = pair({ timeoutMs: 50 })
  b.on('request', () => {})
  const stream = new PassThrough()
  stream.on('error', () => {})
  // The timers of an instance do not keep a process alive.
  const alive = setInterval(() => {}, 1000)
  await assert.rejects(settled(a.request({ streams: { stream } })), { code: 'TIMEOUT' })
  clearInterval(alive)
  assert.equal(stream.destroyed, true)
})

test('a request that no one listens for fails, and so does one after the end', async () => {
  const [a] = pair()
  await assert.rejects(settled(a.request({})), { code: 'HANDLER_MISSING' })
  a.destroy()
  await assert.rejects(settled(a.request({})), { code: 'PEER_GONE' })
  const told = new Promise(resolve => a.fire({}, resolve))
  assert.equal(((await settled(told)) as { code?: string }).code, 'PEER_GONE')
})

test('an error arrives with its message and code, and one of ours as it is', async () => {
  const [a, b] = pair()
  b.on('request', (_message, reply) => reply(Object.assign(new Error('no such key'), { code: 404 })))
  const error = await settled(a.request({})).catch((error: unknown) => error)
  assert.ok(error instanceof RemoteError)
  assert.deepEqual([error.message, error.code], ['no such key', 404])
})

test('a listener that throws fails its request; the error is thrown on, and the next request is answered', async () => {
  const [a, b] = pair()
  b.on('request', (message, reply) => {
    if (message['bad'] === true) throw new Error('a bug')
    reply(null, message)
  })
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const thrown = new Promise<Error>(resolve => process.once('uncaughtException', resolve))
  const requests = [a.request({ bad: true }), a.request({ bad: false })]
  requests[0]!.catch(() => {})
  assert.equal((await settled(thrown)).message, 'a bug')
  for (const listener of listeners) process.on('uncaughtException', listener)
  await assert.rejects(settled(requests[0]!), { message: 'a bug' })
  assert.deepEqual(await settled(requests[1]!), { bad: false })
})

test('requests beyond the bound fail, at either side, and none is lost', async () => {
  const [a, b] = pair({ requestsMax: 5 }, { requestsMax: 3, maxInflight: 2 })
  const replies: (() => void)[] = []
  b.on('request', (message, reply) => replies.push(() => reply(null, message)))
  const outcomes = Array.from({ length: 7 }, (_, i) =>
    a.request({ i }).then(
      ({ i }) => i,
      error => (error as { code: string }).code
    )
  )
  while (replies.length < 2) await turn()
  for (let i = 0; i < 10; i++) await turn()
  while (replies.length > 0) {
    replies.shift()!()
    for (let i = 0; i < 10; i++) await turn()
  }
  const found = await settled(Promise.all(outcomes))
  assert.deepEqual(found.slice(0, 3), [0, 1, 2])
  assert.deepEqual(found.slice(3), ['LINK_FULL', 'LINK_FULL', 'LINK_FULL', 'LINK_FULL'])
})

test('a fire keeps its place behind the requests before it, and is dropped and counted beyond the bound', async () => {
  const [a, b] = pair({}, { maxInflight: 1, requestsMax: 3 })
  const seen: unknown[] = []
  let answer = (): void => {}
  b.on('request', (message, reply) => {
    seen.push(message)
    answer = () => reply(null, {})
  })
  const asked = a.request('slow')
  for (let i = 0; i < 5; i++) a.fire(i)
  while (b.dropped < 2) await turn()
  assert.deepEqual(seen, ['slow'])
  answer()
  await settled(asked)
  assert.deepEqual(seen, ['slow', 0, 1, 2])
})

test('when too many bytes wait to be sent, requests and fires fail until they have left', async () => {
  const [a, b] = [tentacoli({ bufferBytesMax: 1_000_000 }), answering(tentacoli())]
  b.pipe(a)
  const fired = (bytes: number): Promise<string> =>
    new Promise(resolve => {
      a.fire(Buffer.alloc(bytes), error => resolve((error as { code?: string } | null)?.code ?? 'sent'))
    })
  assert.equal(await settled(fired(1_500_000)), 'sent')
  assert.equal(await settled(fired(1)), 'LINK_FULL')
  await assert.rejects(settled(a.request({})), { code: 'LINK_FULL' })
  a.pipe(b)
  while ((await settled(fired(1))) !== 'sent') await turn()
  assert.deepEqual(await settled(a.request({ again: true })), { again: true })
})

test('messages that are too long, or cannot be encoded, fail alone', async () => {
  const [a, b] = pair({}, { messageBytesMax: 131_072 })
  answering(b)
  await settled(a.request({}))
  await assert.rejects(settled(a.request(Buffer.alloc(200_000))), { code: 'FRAME_TOO_LARGE' })
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  await assert.rejects(settled(a.request(circle)), { code: 'BAD_REQUEST' })
  assert.deepEqual(await settled(a.request({ still: 'here' })), { still: 'here' })
})

test('more streams than the bound fail the message, and none stays open', async () => {
  const [a, b] = pair({ streamsMax: 2 })
  const sources = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, new Readable({ read() {} })]))
  b.on('request', (message, reply) => {
    if (message['many'] === true) reply(null, { streams: sources(3) })
    else reply(null, {})
  })
  await assert.rejects(settled(a.request({ streams: sources(3) })), { code: 'LINK_FULL' })
  await assert.rejects(settled(a.request({ many: true })), { code: 'LINK_FULL' })
  assert.deepEqual(await settled(a.request({ streams: sources(2) })), {})
})

test('what stands under `streams` in a message is a stream, whatever the other side writes there', async () => {
  const codec = {
    encode: () => '{"streams":{"file":"no stream"},"a":1}',
    decode: (bytes: Buffer) => JSON.parse(bytes.toString()) as unknown
  }
  const [a, b] = pair({ codec })
  const seen = new Promise<Received>(resolve => b.on('request', resolve))
  a.fire({})
  assert.deepEqual(await settled(seen), { a: 1 })
})

test('streams break on both sides when the connection does', async () => {
  const [a, b] = pair()
  const far = new Promise<Duplex>(resolve => {
    b.on('request', (message, reply) => {
      reply(null, {})
      resolve(message.streams['s']!)
    })
  })
  const stream = new PassThrough()
  const errors: string[] = []
  stream.on('error', error => errors.push(`near ${(error as { code?: string }).code}`))
  await settled(a.request({ streams: { s: stream } }))
  const arrived = await settled(far)
  arrived.on('error', error => errors.push(`far ${(error as { code?: string }).code}`))
  b.destroy()
  while (errors.length < 2) await turn()
  assert.deepEqual(errors.sort(), ['far STREAM_ABORTED', 'near STREAM_ABORTED'])
})

test('what is sent before `end` still arrives', async () => {
  const [a, b] = pair()
  const seen: unknown[] = []
  b.on('request', message => seen.push(message))
  a.fire('one')
  while (seen.length < 1) await turn()
  a.fire('two')
  a.end()
  while (!b.destroyed) await turn()
  assert.deepEqual(seen, ['one', 'two'])
})

test('bytes that are no frames, another protocol and itself are refused by an error', async () => {
  const failed = (instance: Tentacoli): Promise<string> =>
    new Promise(resolve => instance.on('error', error => resolve((error as { code?: string }).code ?? '')))
  const stranger = tentacoli()
  const refused = failed(stranger)
  stranger.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
  assert.match(await settled(refused), /^FRAME_/)

  const itself = tentacoli()
  const same = failed(itself)
  itself.pipe(itself)
  assert.equal(await settled(same), 'PEER_REFUSED')
})

test('garbage in place of any byte never throws past the instance, and never leaves a request open', async () => {
  const { random } = nodeRuntime()
  for (let run = 0; run < 200; run++) {
    const [a, b] = [tentacoli(), tentacoli()]
    for (const each of [a, b]) each.on('error', () => {})
    answering(b)
    let left = 1 + random.integer(200)
    const position = left
    const noise = new (class extends Duplex {
      override _read(): void {}
      override _write(chunk: Buffer, _encoding: string, done: () => void): void {
        const bytes = Buffer.from(chunk)
        if (left > 0 && left <= bytes.length) bytes[left - 1] = random.integer(256)
        left -= bytes.length
        this.push(bytes)
        done()
      }
      override _final(done: () => void): void {
        this.push(null)
        done()
      }
    })()
    a.pipe(noise).pipe(b).pipe(a)
    const outcome = settled(a.request({ cmd: 'x', streams: { s: Readable.from(['abc']) } })).then(
      () => 'answered',
      () => 'failed'
    )
    // Where the noise made the two wait for more bytes, the end of the connection settles it.
    for (let i = 0; i < 6; i++) await turn()
    a.end()
    assert.match(await outcome, /answered|failed/, `byte ${position}`)
  }
})

test('options out of bounds are refused', () => {
  for (const options of [
    { maxInflight: 0 },
    { timeoutMs: -1 },
    { requestsMax: Number.NaN },
    { messageBytesMax: 10 }
  ]) {
    assert.throws(() => tentacoli(options), { code: 'OPTION_INVALID' })
  }
})
