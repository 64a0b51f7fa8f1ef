// Brings operations to the owners of their keys, those of one key in order. While one request of a key is under way, what is
// asked meanwhile waits, and goes out together: so a client's queue has the order in which this node filled it.
//
//   key ─▶ [ under way ] [ waiting, waiting, … ]      next request: as many as fit
import { ShoalError } from '../../broker/errors.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { Operation } from './table.ts'

/** Operations of a request, and the bytes of their packets but for the first: a frame has 16 MiB. */
const BATCH_MAX = 256
const BATCH_BYTES_MAX = 1024 * 1024

interface Asked {
  operation: Operation
  resolve(result: unknown): void
  reject(error: Error): void
}

export class Caller {
  readonly #upring: Upring
  readonly #operationsMax: number
  readonly #lines = new Map<string, Asked[]>()
  #size = 0

  /** `operationsMax`: operations that are not answered; one more fails with LIMIT_EXCEEDED. */
  constructor(upring: Upring, operationsMax: number) {
    this.#upring = upring
    this.#operationsMax = operationsMax
  }

  /** Operations that are not answered. */
  get size(): number {
    return this.#size
  }

  /** The operation's result, when owner and replica have it. Rejects as `upring.request`. */
  ask<Result>(key: string, operation: Operation): Promise<Result> {
    if (this.#size >= this.#operationsMax)
      return Promise.reject(
        new ShoalError('LIMIT_EXCEEDED', { limit: 'operationsMax', max: this.#operationsMax })
      )
    this.#size++
    return new Promise<unknown>((resolve, reject) => {
      const asked = { operation, resolve, reject }
      const line = this.#lines.get(key)
      if (line !== undefined) {
        line.push(asked)
        return
      }
      this.#lines.set(key, [asked])
      void this.#run(key)
    }) as Promise<Result>
  }

  async #run(key: string): Promise<void> {
    const line = this.#lines.get(key)!
    while (line.length > 0) {
      const batch = line.splice(0, batchOf(line))
      try {
        const operations = batch.map(({ operation }) => operation)
        const message = { ns: 'aedes', cmd: 'apply', key, operations }
        const { results } = await this.#upring.request<{ results: unknown[] }>(message)
        for (const [at, { resolve }] of batch.entries()) resolve(results[at])
      } catch (error) {
        for (const { reject } of batch) reject(error as Error)
      }
      this.#size -= batch.length
    }
    this.#lines.delete(key)
  }
}

/** How many of the first go together. */
function batchOf(line: readonly Asked[]): number {
  let count = 0
  let bytes = 0
  for (const { operation } of line) {
    bytes += 'bytes' in operation && operation.bytes !== null ? operation.bytes.length : 0
    if (count > 0 && (count === BATCH_MAX || bytes > BATCH_BYTES_MAX)) break
    count++
  }
  return count
}
