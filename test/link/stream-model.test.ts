// Streams over a link, against a model: each direction is a pipe. Two programs, one at each end, do what they like in any
// order, and the connection may be lost in the middle. In the end
//
//   - what was read is a beginning of what was written, and all of it once the reader has seen the end;
//   - if nothing was broken, everything has arrived, as through a local pipe;
//   - if something was, both ends are closed, and whoever did not break it has been told by an error;
//   - at no time was more under way than the windows allow.
//
// fast-check prints the seed and the shortest history that fails.
import assert from 'node:assert/strict'
import { Duplex, PassThrough, pipeline } from 'node:stream'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import type { Reply } from '../../broker/link/handlers.ts'
import { during, type LinkedPair, linkPair } from './support.ts'

type Side = 'given' | 'far'
type Act =
  | { do: 'write'; side: Side; size: number }
  | { do: 'end' | 'destroy' | 'fail' | 'pause' | 'resume'; side: Side }
  | { do: 'read'; size: number }
  | { do: 'endElsewhere' }
  | { do: 'cut' }
  | { do: 'wait'; ms: number }

interface Shape {
  /** What the given stream offers, as its own program sees it. */
  readable: boolean
  writable: boolean
  objects: boolean
  in: 'request' | 'reply'
}

const side = fc.constantFrom<Side>('given', 'far')
const sized = { write: fc.nat({ max: 40_000 }), read: fc.nat({ max: 20_000 }) }
const quiet: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), side, size: sized.write }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const), side }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('read' as const), size: sized.read }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), side }) }
)
const violent: fc.Arbitrary<Act> = fc.oneof(
  { weight: 12, arbitrary: quiet },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('destroy' as const, 'fail' as const), side }) },
  { weight: 1, arbitrary: fc.constantFrom<Act>({ do: 'cut' }, { do: 'endElsewhere' }) }
)

/** One direction, as its writer and its reader know it. */
interface Direction {
  written: string[]
  read: string[]
  endWritten: boolean
  endRead: boolean
}

function direction(): Direction {
  return { written: [], read: [], endWritten: false, endRead: false }
}

/** The stream that is given to the link: a program's own, whose reading can be stopped. */
class Given extends Duplex {
  /** Callbacks of writes that are held up; null while nothing is. */
  held: (() => void)[] | null = null
  readonly shape: Shape
  readonly incoming: Direction

  constructor(shape: Shape, incoming: Direction) {
    const halves = { readable: shape.readable, writable: shape.writable }
    super({ ...halves, objectMode: shape.objects })
    this.shape = shape
    this.incoming = incoming
    this.on('error', () => {})
  }

  override _read(): void {}

  override _write(chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    this.incoming.read.push(textOf(chunk, this.shape.objects))
    if (this.held === null) done()
    else this.held.push(done)
  }

  override _final(done: () => void): void {
    this.incoming.endRead = true
    done()
  }

  release(): void {
    const held = this.held ?? []
    this.held = null
    for (const done of held) done()
  }
}

function textOf(chunk: unknown, isObject: boolean): string {
  return isObject ? (chunk as { text: string }).text : (chunk as Buffer).toString('latin1')
}

class Play {
  readonly pair: LinkedPair
  readonly shape: Shape
  readonly room: number
  /** From the given stream to the far end, and back. */
  readonly out = direction()
  readonly back = direction()
  readonly given: Given
  far!: Duplex
  /** Who has broken the stream, or ended the other's half of it. */
  readonly breakers = new Set<Side | 'link'>()
  isEndedElsewhere = false
  #letter = 0

  constructor(pair: LinkedPair, shape: Shape, room: number) {
    this.pair = pair
    this.shape = shape
    this.room = room
    this.given = new Given(shape, this.back)
  }

  /** Without a link: through a local pipe. */
  openLocally(): void {
    this.far = pipeline(this.given, new PassThrough({ objectMode: this.shape.objects }), () => {})
    this.#listen()
  }

  async open(): Promise<void> {
    const { pair, given } = this
    if (this.shape.in === 'request') {
      let got: Reply['streams'] | null = null
      pair.atB.onRequest = (_name, _body, reply) => {
        got = reply.streams
        reply.send(null)
      }
      await during(pair.simulation, pair.a.request('r', null, { streams: { s: given } }))
      this.far = got!['s']!
    } else {
      pair.atB.onRequest = (_name, _body, reply) => reply.send(null, { s: given })
      this.far = (await during(pair.simulation, pair.a.request('r', null))).streams['s']!
    }
    this.#listen()
  }

  #listen(): void {
    this.far.on('error', () => {})
    if (!this.shape.readable) return
    this.far.on('data', chunk => this.out.read.push(textOf(chunk, this.shape.objects)))
    this.far.on('end', () => {
      this.out.endRead = true
    })
  }

  act(act: Act): void {
    if (act.do === 'write') this.#write(act.side, act.size)
    else if (act.do === 'end') this.#end(act.side)
    else if (act.do === 'destroy' || act.do === 'fail') this.#break(act.side, act.do === 'fail')
    else if (act.do === 'pause') this.#pause(act.side)
    else if (act.do === 'resume') this.#resume(act.side)
    else if (act.do === 'read' && this.shape.readable) this.far.read(act.size)
    else if (act.do === 'cut') {
      this.breakers.add('link')
      this.pair.a.destroy()
    } else if (act.do === 'endElsewhere' && this.shape.writable && !this.given.writableEnded) {
      this.isEndedElsewhere = true
      this.given.end()
    }
  }

  resumeAll(): void {
    this.#resume('given')
    this.#resume('far')
  }

  /** What is under way, in bytes or objects: neither in the writer's hands nor read. */
  checkBounds(): void {
    const count = (texts: string[]): number => (this.shape.objects ? texts.length : texts.join('').length)
    const { out, back, given, far } = this
    // A reader that wants more at once than the window holds widens it.
    const window = Math.max(this.room, far.readableHighWaterMark)
    const most = window + 2 * far.writableHighWaterMark + (this.shape.objects ? 1 : 40_000)
    assert.ok(count(out.written) - count(out.read) - given.readableLength <= most, 'too much on its way out')
    assert.ok(count(back.written) - count(back.read) - far.writableLength <= most, 'too much on its way back')
    assert.ok(far.readableLength <= window, `${far.readableLength} wait at the far end`)
  }

  check(): void {
    if (this.shape.readable) this.#checkDirection(this.out, 'given', 'far')
    if (this.shape.writable) this.#checkDirection(this.back, 'far', 'given')
    const { a, b } = this.pair
    const isOver =
      (!this.shape.readable || this.out.endWritten) && (!this.shape.writable || this.back.endWritten)
    if (this.breakers.size > 0 || isOver) {
      assert.equal(this.given.destroyed, true, 'the given stream is closed')
      assert.equal(this.far.destroyed, true, 'the far end is closed')
      assert.equal(a.openStreams + b.openStreams, 0)
    }
  }

  #checkDirection(way: Direction, writer: Side, reader: Side): void {
    const [written, read] = [way.written.join(''), way.read.join('')]
    assert.ok(written.startsWith(read), 'what was read is a beginning of what was written')
    const isWhole = read === written && way.endWritten
    if (reader === 'given' && this.isEndedElsewhere) {
      const mustKnow = read !== written && !this.#isDone(way, writer) && !this.breakers.has(writer)
      if (mustKnow) assert.notEqual(this.#errorAt(writer), null, 'the writer is told')
      return
    }
    if (way.endRead) assert.ok(isWhole, 'an end is the end of all')
    if (this.breakers.size === 0 && !this.isEndedElsewhere) {
      assert.equal(read, written)
      assert.equal(way.endRead, way.endWritten)
    } else if (!isWhole && this.breakers.size > 0) {
      for (const end of [writer, reader]) {
        if (this.breakers.has(end) || (end === writer && this.#isDone(way, end))) continue
        assert.notEqual(this.#errorAt(end), null, `${end} is told`)
      }
    }
  }

  /** The writer has ended, and all it wrote was taken from it: like one that has handed its data to a socket, it is gone. */
  #isDone(way: Direction, writer: Side): boolean {
    return way.endWritten && (writer === 'given' ? this.given.readableEnded : this.far.writableFinished)
  }

  #errorAt(end: Side): Error | null {
    return (end === 'given' ? this.given : this.far).errored
  }

  #write(end: Side, size: number): void {
    const way = end === 'given' ? this.out : this.back
    const stream = end === 'given' ? this.given : this.far
    const exists = end === 'given' ? this.shape.readable : this.shape.writable
    if (!exists || way.endWritten || stream.destroyed || (end === 'far' && stream.writableEnded)) return
    const text = String.fromCharCode(97 + (this.#letter++ % 26)).repeat(size + 1)
    way.written.push(text)
    const chunk = this.shape.objects ? { text } : Buffer.from(text)
    if (end === 'given') stream.push(chunk)
    else stream.write(chunk)
  }

  #end(end: Side): void {
    const way = end === 'given' ? this.out : this.back
    const stream = end === 'given' ? this.given : this.far
    const exists = end === 'given' ? this.shape.readable : this.shape.writable
    if (!exists || way.endWritten || stream.destroyed) return
    if (end === 'far' && stream.writableEnded) return
    way.endWritten = true
    if (end === 'given') stream.push(null)
    else stream.end()
  }

  #break(end: Side, withError: boolean): void {
    const stream = end === 'given' ? this.given : this.far
    if (stream.destroyed) return
    this.breakers.add(end)
    stream.destroy(withError ? new Error('broken on purpose') : undefined)
  }

  #pause(end: Side): void {
    if (end === 'given') this.given.held ??= []
    else if (this.shape.readable) this.far.pause()
  }

  #resume(end: Side): void {
    if (end === 'given') this.given.release()
    else if (this.shape.readable) this.far.resume()
  }
}

async function play(shape: Shape, acts: readonly Act[], room: number): Promise<Play> {
  const pair = await linkPair({ streamBytes: room, streamObjects: 1 + (room % 20) })
  const stage = new Play(pair, shape, shape.objects ? 1 + (room % 20) : room)
  await stage.open()
  for (const act of acts) {
    stage.act(act)
    await pair.simulation.run(act.do === 'wait' ? act.ms : 0)
    await turn()
    stage.checkBounds()
  }
  stage.resumeAll()
  await pair.simulation.run(10_000)
  await turn()
  stage.check()
  return stage
}

/** The same acts, on streams that no link is between. */
async function playLocally(pair: LinkedPair, shape: Shape, acts: readonly Act[]): Promise<Play> {
  const stage = new Play(pair, shape, 0)
  stage.openLocally()
  for (const act of acts) {
    stage.act(act)
    await turn()
  }
  stage.resumeAll()
  for (let i = 0; i < 10; i++) await turn()
  return stage
}

/** What the two programs have seen. */
function outcome({ out, given, far }: Play): object {
  return { read: out.read.join(''), endRead: out.endRead, closed: [given.destroyed, far.destroyed] }
}

const RUNS = Number(process.env['SHOAL_RUNS'] ?? 60)

const room = fc.integer({ min: 1000, max: 100_000 })

for (const [what, readable, writable] of [
  ['readable', true, false],
  ['writable', false, true],
  ['duplex', true, true]
] as const) {
  for (const objects of [false, true]) {
    for (const where of ['request', 'reply'] as const) {
      const shape: Shape = { readable, writable, objects, in: where }
      const title = `a ${what} stream of ${objects ? 'objects' : 'bytes'} in a ${where}`
      test(`${title} is a pipe, whatever its two ends and the connection do`, async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(violent, { maxLength: 30 }), room, async (acts, bytes) => {
            await play(shape, acts, bytes)
          }),
          { numRuns: RUNS }
        )
      })
    }
  }
}

for (const objects of [false, true]) {
  const shape: Shape = { readable: true, writable: false, objects, in: 'request' }
  test(`a stream of ${objects ? 'objects' : 'bytes'} that no one breaks ends as one through a local pipe does`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(quiet, { maxLength: 30 }), room, async (acts, bytes) => {
        const afar = await play(shape, acts, bytes)
        assert.deepEqual(outcome(afar), outcome(await playLocally(afar.pair, shape, acts)))
      }),
      { numRuns: RUNS }
    )
  })
}
