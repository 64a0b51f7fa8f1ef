import assert from 'node:assert/strict'
import { type Duplex, PassThrough, Readable, Transform, Writable } from 'node:stream'
import { test } from 'node:test'
import type { Reply } from '../../broker/link/handlers.ts'
import { during, type LinkedPair, linkPair } from './support.ts'

/** A request whose streams are handed to `use` at the far side. */
async function answered(
  pair: LinkedPair,
  streams: Record<string, Duplex | Readable | Writable>
): Promise<Reply['streams']> {
  let got: Reply['streams'] | null = null
  pair.atB.onRequest = (_name, _body, reply) => {
    got = reply.streams
    reply.send(null)
  }
  await during(pair.simulation, pair.a.request('streams', null, { streams }))
  return got!
}

async function readAll(stream: Readable): Promise<unknown[]> {
  const chunks: unknown[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

test('what is readable here is readable there, with its bytes and its end', async () => {
  const pair = await linkPair()
  const bytes = Buffer.alloc(1_000_000, 'abc')
  const { file } = await answered(pair, {
    file: Readable.from([bytes.subarray(0, 10), bytes.subarray(10)], { objectMode: false })
  })
  assert.equal(file!.writable, false)
  const chunks = await during(pair.simulation, readAll(file!))
  assert.ok(Buffer.concat(chunks as Buffer[]).equals(bytes))
  await pair.simulation.run(10)
  assert.equal(pair.a.openStreams + pair.b.openStreams, 0)
})

test('what is writable here is writable there', async () => {
  const pair = await linkPair()
  const got: Buffer[] = []
  let finished = false
  const local = new Writable({
    write(chunk, _encoding, done) {
      got.push(chunk)
      done()
    },
    final(done) {
      finished = true
      done()
    }
  })
  const { out } = await answered(pair, { out: local })
  assert.equal(out!.readable, false)
  out!.write('one')
  out!.end(Buffer.alloc(200_000))
  await pair.simulation.until(() => finished, 10_000)
  assert.equal(Buffer.concat(got).length, 200_003)
  await pair.simulation.run(10)
  assert.equal(pair.a.openStreams + pair.b.openStreams, 0)
})

test('objects cross as values, in their order', async () => {
  const pair = await linkPair()
  const objects = Array.from({ length: 100 }, (_, i) => ({ i, text: 'x'.repeat(i) }))
  const { list } = await answered(pair, { list: Readable.from(objects) })
  assert.deepEqual(await during(pair.simulation, readAll(list!)), objects)
})

test('a duplex whose halves differ keeps them: bytes in, objects out', async () => {
  const pair = await linkPair()
  const lines = new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      done(null, { length: chunk.length })
    }
  })
  const { parser } = await answered(pair, { parser: lines })
  parser!.end('12345')
  const lengths = (await during(pair.simulation, readAll(parser!))) as { length: number }[]
  assert.equal(
    lengths.reduce((sum, { length }) => sum + length, 0),
    5
  )
})

test('a transform that is read here is written there', async () => {
  const pair = await linkPair()
  const upper = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      done(null, chunk.toString().toUpperCase())
    }
  })
  const read = readAll(upper)
  const { out } = await answered(pair, { out: upper })
  assert.deepEqual([out!.readable, out!.writable], [false, true])
  out!.end('loud')
  assert.equal(Buffer.concat((await during(pair.simulation, read)) as Buffer[]).toString(), 'LOUD')
})

test('a duplex that another ends here is closed there, once all of it has been read', async () => {
  const pair = await linkPair()
  const echo = new PassThrough()
  const { s } = await answered(pair, { s: echo })
  echo.end('the last words')
  const chunks = await during(pair.simulation, readAll(s!))
  assert.equal(Buffer.concat(chunks as Buffer[]).toString(), 'the last words')
  await pair.simulation.run(10)
  assert.equal(s!.destroyed && s!.errored === null, true)
  assert.equal(pair.a.openStreams + pair.b.openStreams, 0)
})

test('what was written to a duplex that another has ended is an error', async () => {
  const pair = await linkPair()
  const echo = new PassThrough()
  const { s } = await answered(pair, { s: echo })
  s!.write('too late')
  echo.end()
  echo.resume()
  await pair.simulation.run(10)
  assert.match(String(s!.errored), /no one reads it any more/)
})

test('a reply brings streams too', async () => {
  const pair = await linkPair()
  pair.atB.onRequest = (_name, _body, reply) => reply.send('ok', { scan: Readable.from([1, 2, 3]) })
  const { body, streams } = await during(pair.simulation, pair.a.request('scan', null))
  assert.equal(body, 'ok')
  assert.deepEqual(await during(pair.simulation, readAll(streams['scan']!)), [1, 2, 3])
})

test('the streams of a failed request break on both sides', async () => {
  const pair = await linkPair()
  const local = new PassThrough()
  let remote: Duplex | null = null
  pair.atB.onRequest = (_name, _body, reply) => {
    remote = reply.streams['s']!
  }
  await assert.rejects(
    during(pair.simulation, pair.a.request('r', null, { streams: { s: local }, timeoutMs: 50 })),
    {
      code: 'TIMEOUT'
    }
  )
  await pair.simulation.run(10)
  assert.equal(local.destroyed, true)
  assert.equal(remote!.destroyed, true)
  assert.equal(pair.a.openStreams + pair.b.openStreams, 0)
})

test('a stream that is closed already cannot be given', async () => {
  const { a } = await linkPair()
  const closed = new PassThrough()
  closed.destroy()
  await assert.rejects(a.request('r', null, { streams: { closed } }), { code: 'BAD_REQUEST' })
})

test('more streams than the limit fail the request, and break', async () => {
  const pair = await linkPair({ streamsMax: 2 }, { streamsMax: 1 })
  const three = { a: new PassThrough(), b: new PassThrough(), c: new PassThrough() }
  await assert.rejects(pair.a.request('r', null, { streams: three }), { code: 'LINK_FULL' })
  const two = { a: new PassThrough(), b: new PassThrough() }
  await assert.rejects(during(pair.simulation, pair.a.request('r', null, { streams: two })), {
    code: 'LINK_FULL'
  })
  await pair.simulation.run(10)
  assert.deepEqual([two.a.destroyed, two.b.destroyed], [true, true])
  assert.equal(pair.a.openStreams + pair.b.openStreams, 0)
})

test('a reader that stops stops its writer, and neither the other streams nor the link', async () => {
  const pair = await linkPair({ streamBytes: 65_536 })
  let produced = 0
  const slow = new Readable({
    read() {
      produced += 1000
      this.push(Buffer.alloc(1000))
    }
  })
  const streams = await answered(pair, {
    slow,
    fast: Readable.from([Buffer.alloc(500_000)], { objectMode: false })
  })
  const fast = await during(pair.simulation, readAll(streams['fast']!))
  assert.equal(Buffer.concat(fast as Buffer[]).length, 500_000)
  await pair.simulation.run(1000)
  assert.ok(produced < 200_000, `${produced} bytes were produced for a reader that does not read`)
  assert.equal((await during(pair.simulation, pair.a.request('r', 1))).body, null)

  const before = produced
  streams['slow']!.resume()
  await pair.simulation.run(100)
  assert.ok(produced > before + 100_000)
  streams['slow']!.destroy()
  await pair.simulation.run(10)
  assert.equal(slow.destroyed, true)
})

test('a reader may want more at once than the window holds', async () => {
  const pair = await linkPair()
  const { file } = await answered(pair, {
    file: Readable.from([Buffer.alloc(300_000)], { objectMode: false })
  })
  let chunk: Buffer | null = null
  file!.on('readable', () => {
    chunk ??= file!.read(300_000) as Buffer | null
  })
  await pair.simulation.until(() => chunk !== null, 1000)
  assert.equal(chunk!.length, 300_000)
})

test('an error crosses as STREAM_ABORTED with its text, and so does a destroy', async () => {
  const pair = await linkPair()
  const broken = new PassThrough()
  const dropped = new PassThrough()
  const streams = await answered(pair, { broken, dropped })
  const errors: Record<string, unknown> = {}
  for (const name of ['broken', 'dropped']) {
    streams[name]!.on('error', error => {
      errors[name] = { code: (error as { code?: string }).code, message: error.message }
    })
  }
  broken.destroy(new Error('the disk is gone'))
  dropped.destroy()
  await pair.simulation.run(10)
  assert.match(JSON.stringify(errors['broken']), /STREAM_ABORTED.*the disk is gone/)
  assert.match(JSON.stringify(errors['dropped']), /STREAM_ABORTED/)
  assert.equal(pair.a.openStreams + pair.b.openStreams, 0)
})

test('when the link is lost every open stream breaks, and one that had arrived whole can still be read', async () => {
  const pair = await linkPair()
  const open = new PassThrough()
  const streams = await answered(pair, { open, whole: Readable.from(['all of it'], { objectMode: false }) })
  let code = ''
  streams['open']!.on('error', error => {
    code = (error as { code?: string }).code ?? ''
  })
  await pair.simulation.run(10)
  pair.simulation.host('10.0.0.1').crash()
  await pair.simulation.run(10)
  assert.equal(code, 'STREAM_ABORTED')
  assert.deepEqual((await readAll(streams['whole']!)).map(String), ['all of it'])

  const other = await linkPair()
  const local = new PassThrough()
  await answered(other, { local })
  other.simulation.host('10.0.0.2').crash()
  await other.simulation.run(10)
  assert.equal(local.destroyed, true)
  assert.equal(other.a.openStreams, 0)
})

test('memory that was written may be used again when the write has called back', async () => {
  const pair = await linkPair()
  const got: Buffer[] = []
  const local = new Writable({
    write(chunk: Buffer, _encoding, done) {
      got.push(Buffer.from(chunk))
      done()
    }
  })
  const { file } = await answered(pair, { file: local })
  const memory = Buffer.alloc(10_000)
  const writing = (async () => {
    for (let letter = 97; letter < 123; letter++) {
      memory.fill(letter)
      await new Promise(resolve => file!.write(memory, resolve))
    }
    file!.end()
  })()
  await during(pair.simulation, writing)
  await pair.simulation.run(100)
  const expected = Array.from({ length: 26 }, (_, i) => String.fromCharCode(97 + i).repeat(10_000)).join('')
  assert.ok(Buffer.concat(got).toString() === expected, 'each byte as it was written')
})
