// Reads the body of a request: bounded before it is kept, each and all together, and in time.
import { ShoalError } from '../../broker/errors.ts'
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Exchange } from './exchange.ts'
import { HttpError } from './respond.ts'

export interface BodyLimits {
  bodyBytesMax: number
  bodyTimeoutMs: number
  /** Of all bodies together. */
  requestBytesMax: number
}

export class BodyReader {
  readonly #clock: Clock
  readonly #limits: BodyLimits
  /** Of all bodies whose exchange is not over. */
  #bytes = 0

  constructor(clock: Clock, limits: BodyLimits) {
    this.#clock = clock
    this.#limits = limits
  }

  /**
   * Calls `done` once with the whole body; when there is none, because it is too large, too slow, or one too many, the
   * exchange fails instead. Must be called within the request's handler.
   */
  read(exchange: Exchange, contentLength: string, done: (body: Buffer) => void): void {
    const { bodyBytesMax, bodyTimeoutMs, requestBytesMax } = this.#limits
    if (Number(contentLength) > bodyBytesMax) return exchange.fail(tooLarge(bodyBytesMax))
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = this.#clock.after(bodyTimeoutMs, () => exchange.giveUp(tooSlow(bodyTimeoutMs)))
    exchange.onEnd(() => {
      timer.cancel()
      this.#bytes -= bytes
      chunks.length = 0
    })
    exchange.onData((chunk, isLast) => {
      if (bytes + chunk.byteLength > bodyBytesMax) return exchange.fail(tooLarge(bodyBytesMax))
      if (this.#bytes + chunk.byteLength > requestBytesMax) return exchange.fail(tooMany())
      bytes += chunk.byteLength
      this.#bytes += chunk.byteLength
      // The library takes the chunk's memory back.
      chunks.push(Buffer.from(chunk.slice(0)))
      if (!isLast) return
      timer.cancel()
      done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks))
    })
  }
}

/** The answer at a limit on requests, or on the bytes of their bodies. */
export function tooMany(): HttpError {
  return new HttpError('TOO_MANY_REQUESTS', '429 Too Many Requests', 'too many requests at once', {
    'retry-after': '1'
  })
}

function tooLarge(allowed: number): HttpError {
  return HttpError.from(new ShoalError('PAYLOAD_TOO_LARGE', { allowed }))
}

function tooSlow(allowedMs: number): HttpError {
  return new HttpError('TIMEOUT', '408 Request Timeout', `the body was not there within ${allowedMs} ms`)
}
