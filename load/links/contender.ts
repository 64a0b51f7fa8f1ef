// What is compared: a way to ask a process on the other end of one connection, and to be sent bytes by it. Each
// contender is a file that says how it does these two things, in the way that its own documentation shows.
import { Readable } from 'node:stream'

/** What is asked for and comes back: a small message of a program, 90 bytes as JSON. */
export const QUESTION = {
  cmd: 'put',
  key: 'plant/line/7/state',
  value: { on: true, speed: 1480, unit: 'rpm', at: 1_700_000_000 }
} as const

export type Answered = (error: Error | null, answer: unknown) => void

/** One connection to a server. */
export interface Caller {
  /** `answered` is called once, with what was asked. */
  ask(question: object, answered: Answered): void
  /** So many bytes from the server, as a stream. */
  download(bytes: number): Promise<Readable>
}

export interface Contender {
  /** Listens on a free port of loopback, which is returned. Lives as long as its process. */
  serve(): Promise<number>
  connect(port: number): Promise<Caller>
}

export const HOST = '127.0.0.1'

/** What a file's stream reads at a time. */
const chunk = Buffer.alloc(65_536, 'shoal')

/** So many bytes, as fast as they are read, the first of them after `delayMs`. */
export function source(bytes: number, delayMs = 0): Readable {
  let left = bytes
  const readable = new Readable({ highWaterMark: chunk.length, read: delayMs === 0 ? next : later })
  function next(): void {
    const part = left >= chunk.length ? chunk : chunk.subarray(0, left)
    left -= part.length
    readable.push(part.length === 0 ? null : part)
  }
  function later(): void {
    readable._read = next
    setTimeout(next, delayMs)
  }
  return readable
}
