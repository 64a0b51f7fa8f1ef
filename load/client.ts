// What the generator needs of a connection, whatever it speaks.
import { Buffer } from 'node:buffer'
import type { Ledger } from './ledger.ts'

export type Qos = 0 | 1 | 2

/** What a client tells its thread. */
export interface ClientEvents {
  /** A chunk was decoded: windows may have opened. */
  received(): void
  /** All that was written has left for the kernel. */
  drained(): void
  /** The broker refused a publish, and said why; once a connection. */
  refused(error: Error): void
  /** The connection ended without being asked to. */
  lost(error: Error): void
}

export interface LoadClient {
  /** What this client should receive; none for one that only publishes. */
  readonly ledger: Ledger | undefined
  /** Publishes that the broker acknowledged. */
  readonly acknowledged: number
  /** Publishes of QoS 1 and 2 that the broker allows without its acknowledgement. */
  readonly receiveMaximum: number
  /** Whether a write would go out at once: nothing is waiting in this process, nor, with HTTP, for an answer. */
  readonly writable: boolean
  /** Connects and waits for the broker's welcome. Rejects with `PEER_REFUSED`, `PEER_GONE`, `TIMEOUT` or the system's error. */
  connect(): Promise<void>
  /** Subscribes and waits for the answer. Rejects with `NOT_AUTHORISED` when the broker refuses the filter. */
  subscribe(filter: string, qos: Qos, ledger: Ledger): Promise<void>
  /** Writes `messages` publishes of a ring. The bytes may be changed again once `writable` is true. */
  write(bytes: Uint8Array, messages: number): void
  /** Says goodbye and closes. */
  close(): void
}

/** Ready publishes of one client, one after the other, in which only a few fields are patched before a write. */
export interface PublishRing {
  /** Places; message k of the publisher lies at place k mod `length`. */
  readonly length: number
  /** Patches the publish at `place` for the publisher's `message`-th message, which is its stream's `sequence`-th. */
  stamp(place: number, message: number, sequence: number, sentUs: number): void
  /** The bytes of `count` publishes from `place`; `place + count` is at most `length`. Not a copy. */
  slice(place: number, count: number): Buffer
}

/** Encoded publishes side by side in one buffer. The first `topics` of each turn go to the topics in their order. */
export class PublishSlab {
  readonly length: number
  readonly bytes: Buffer
  readonly view: DataView
  readonly #starts: Uint32Array

  /** At least `batch` publishes, as many for each of `topics` topics; `encode` makes the one for a topic. */
  constructor(topics: number, batch: number, encode: (topic: number) => Buffer) {
    this.length = topics * Math.ceil(batch / topics)
    this.#starts = new Uint32Array(this.length + 1)
    const packets = Array.from({ length: this.length }, (_, i) => encode(i % topics))
    for (let i = 0; i < this.length; i++) this.#starts[i + 1] = this.#starts[i]! + packets[i]!.length
    // A buffer of its own, never the shared pool: the view covers all of it.
    this.bytes = Buffer.from(new ArrayBuffer(this.#starts[this.length]!))
    Buffer.concat(packets).copy(this.bytes)
    this.view = new DataView(this.bytes.buffer)
  }

  start(place: number): number {
    return this.#starts[place]!
  }

  end(place: number): number {
    return this.#starts[place + 1]!
  }

  slice(place: number, count: number): Buffer {
    return this.bytes.subarray(this.#starts[place]!, this.#starts[place + count]!)
  }
}
