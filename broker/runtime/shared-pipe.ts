// One direction of a stream between two threads: bytes in shared memory, written by one of them and read by the
// other, without a lock and without a system call. Either side may ask to be woken; who wakes is the caller's business.
//
//     words   0 written, writer's fate │ 16 read, reader's fate │ 32 reader waits │ 48 writer waits     a cache line each
//     bytes   ┌───────────┬──────────────────────┬──────────────┐
//             │ free      │ written, not read    │ free         │     counts go on and on; a place is count & MASK
//             └───────────┴──────────────────────┴──────────────┘
//                          ▲ read                 ▲ written
//
// No wake is lost: one side changes a count and then looks at the other's flag, the other sets its flag and then looks
// at the count, and atomic operations have one order for all threads.
// Source: Lamport, "Proving the Correctness of Multiprocess Programs" (1977), the queue of one producer and one consumer.

/** What a pipe holds at most; a writer waits when it is full. A power of two. */
export const PIPE_BYTES = 262_144

const MASK = PIPE_BYTES - 1

/**
 * V8 copies to and from shared memory word by word where both ends lie alike in their words, and byte by byte where they
 * do not, ten times slower. So bytes come to lie in the pipe as they lie at their place in it at both ends.
 */
const WORD_MASK = 7
/** Less than this is copied as it lies. */
const STRAY_BYTES_MAX = 64
const WORDS = 64
const HEAD_BYTES = WORDS * Int32Array.BYTES_PER_ELEMENT

const WRITTEN = 0
const WRITER_FATE = 1
const READ = 16
const READER_FATE = 17
const READER_WAITS = 32
const WRITER_WAITS = 48

const OPEN = 0
const ENDED = 1
const GONE = 2

/** The longest chunk that is read at once, as from a socket: memory of more than 128 KiB comes anew from the system each time. */
const CHUNK_BYTES_MAX = 65_536

/** Smaller chunks are cut from Node's pool of buffers. */
const POOLED_BYTES_MAX = 2048

/** Where bytes are put to lie as in the pipe: a copy between memories that are not shared costs next to nothing. */
const aligned = Buffer.allocUnsafeSlow(CHUNK_BYTES_MAX + WORD_MASK)

/** Both threads make one over the same memory; one calls the writer's half, one the reader's. */
export class SharedPipe {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #bytes: Uint8Array

  /** Without `memory`: a new pipe. */
  constructor(memory = new SharedArrayBuffer(HEAD_BYTES + PIPE_BYTES)) {
    this.memory = memory
    this.#words = new Int32Array(memory, 0, WORDS)
    this.#bytes = new Uint8Array(memory, HEAD_BYTES, PIPE_BYTES)
  }

  // The writer's half.

  /** Copies as much of `source`, from `start` on, as there is room for; returns how much that is. */
  write(source: Uint8Array, start: number): number {
    const words = this.#words
    const written = words[WRITTEN]!
    const room = PIPE_BYTES - ((written - Atomics.load(words, READ)) | 0)
    const count = Math.min(room, source.length - start)
    if (count === 0) return 0
    const at = written & MASK
    const first = Math.min(count, PIPE_BYTES - at)
    this.#put(source, start, start + first, at)
    if (first < count) this.#put(source, start + first, start + count, 0)
    Atomics.store(words, WRITTEN, (written + count) | 0)
    return count
  }

  /** Copies `source[start..end)` to the place `at`, behind which there is room. */
  #put(source: Uint8Array, start: number, end: number, at: number): void {
    const shift = at & WORD_MASK
    if (((source.byteOffset + start) & WORD_MASK) === shift || end - start < STRAY_BYTES_MAX) {
      this.#bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), at)
      return
    }
    let from = start
    while (from < end) {
      const to = Math.min(end, from + CHUNK_BYTES_MAX)
      aligned.set(source.subarray(from, to), shift)
      this.#bytes.set(aligned.subarray(shift, shift + to - from), at + from - start)
      from = to
    }
  }

  /** Nothing more will be written; what is there may still be read. */
  end(): void {
    Atomics.compareExchange(this.#words, WRITER_FATE, OPEN, ENDED)
  }

  /** The writer is gone without an end, unless it has said one. */
  leaveWriter(): void {
    Atomics.compareExchange(this.#words, WRITER_FATE, OPEN, GONE)
  }

  /** True once when the reader is to be woken. */
  takeReaderWaits(): boolean {
    return this.#take(READER_WAITS)
  }

  /** Asks to be woken when there is room. False if there is some by now. */
  waitForRoom(): boolean {
    const words = this.#words
    Atomics.store(words, WRITER_WAITS, 1)
    if (((words[WRITTEN]! - Atomics.load(words, READ)) | 0) === PIPE_BYTES) return true
    Atomics.store(words, WRITER_WAITS, 0)
    return false
  }

  get isReaderGone(): boolean {
    return Atomics.load(this.#words, READER_FATE) !== OPEN
  }

  // The reader's half.

  /** What is there, or the first of it, in memory of its own; null if nothing is. */
  read(): Buffer | null {
    const words = this.#words
    const read = words[READ]!
    const count = Math.min((Atomics.load(words, WRITTEN) - read) | 0, CHUNK_BYTES_MAX)
    if (count === 0) return null
    const at = read & MASK
    const shift = at & WORD_MASK
    const bytes = shift + count
    const memory = bytes <= POOLED_BYTES_MAX ? Buffer.allocUnsafe(bytes) : Buffer.allocUnsafeSlow(bytes)
    const chunk = shift === 0 ? memory : memory.subarray(shift)
    const first = Math.min(count, PIPE_BYTES - at)
    chunk.set(this.#bytes.subarray(at, at + first), 0)
    if (first < count) chunk.set(this.#bytes.subarray(0, count - first), first)
    Atomics.store(words, READ, (read + count) | 0)
    return chunk
  }

  /** Nothing is there, and nothing will come. */
  get isOver(): boolean {
    const words = this.#words
    // The fate first: what was written before it is then seen too.
    return Atomics.load(words, WRITER_FATE) !== OPEN && Atomics.load(words, WRITTEN) === words[READ]
  }

  leaveReader(): void {
    Atomics.store(this.#words, READER_FATE, GONE)
  }

  /** True once when the writer is to be woken. */
  takeWriterWaits(): boolean {
    return this.#take(WRITER_WAITS)
  }

  /** Asks to be woken when there is something to read, or nothing will come. False if it is so by now. */
  waitForBytes(): boolean {
    const words = this.#words
    Atomics.store(words, READER_WAITS, 1)
    if (Atomics.load(words, WRITTEN) === words[READ] && Atomics.load(words, WRITER_FATE) === OPEN) return true
    Atomics.store(words, READER_WAITS, 0)
    return false
  }

  #take(flag: number): boolean {
    return Atomics.load(this.#words, flag) === 1 && Atomics.exchange(this.#words, flag, 0) === 1
  }
}
