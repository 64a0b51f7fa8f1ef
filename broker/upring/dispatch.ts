// From a request to its handler and back, the same way whether it came over a link or from this very node:
// answered once, and with its streams destroyed if it fails.
import { ShoalError } from '../errors.ts'
import type { Log } from '../runtime/log.ts'
import { destroyStreams, RequestError } from './envelope.ts'
import type { Handler, ReceivedMessage, ReplyFunction } from './message.ts'
import { Patterns } from './patterns.ts'

/** What it tells the instance that it belongs to. */
export interface DispatchEvents {
  /** Before each request; null while nobody listens. */
  prerequest(): ((request: ReceivedMessage) => void) | null
  /** A request before the first `add`: true if somebody took it. */
  request(request: ReceivedMessage, reply: ReplyFunction): boolean
}

/** Called once. */
export type Answered = (error: Error | null, body: unknown) => void

export class Dispatch {
  readonly patterns = new Patterns()
  readonly #log: Log
  readonly #events: DispatchEvents
  /** Requests that have a handler and no answer yet. */
  unanswered = 0
  handled = 0

  constructor(log: Log, events: DispatchEvents) {
    this.#log = log
    this.#events = events
  }

  /** Hands the request to its handler. Never throws; may call back before it returns. Without `answered` it is a fire. */
  run(request: object, answered: Answered | null): void {
    this.handled++
    if (answered !== null) this.unanswered++
    let isAnswered = false
    const reply: ReplyFunction = (error, body) => {
      if (isAnswered) return
      isAnswered = true
      if (answered !== null) this.unanswered--
      const failure = error === undefined || error === null ? null : errorOf(error)
      if (failure !== null) destroyStreams(request, failure)
      answered?.(failure, body)
    }
    const message = request as ReceivedMessage
    try {
      this.#events.prerequest()?.(message)
      if (this.patterns.size > 0) this.#match(message, reply)
      else if (!this.#events.request(message, reply)) reply(new ShoalError('HANDLER_MISSING'))
    } catch (error) {
      this.#failed(error, reply)
    }
  }

  #match(request: ReceivedMessage, reply: ReplyFunction): void {
    const match = this.patterns.match(request)
    if (match.kind === 'missing') reply(new ShoalError('PATTERN_MISSING'))
    else if (match.kind === 'refuse') reply(new RequestError('400', 400, match.errors), match.errors)
    else this.#handle(match.handler, request, reply)
  }

  #handle(handler: Handler, request: ReceivedMessage, reply: ReplyFunction): void {
    const promise = handler(request, reply)
    if (promise === undefined || typeof promise.then !== 'function') return
    promise.then(
      body => reply(null, body),
      error => this.#failed(error, reply)
    )
  }

  #failed(error: unknown, reply: ReplyFunction): void {
    this.#log.debug({ error }, 'handler failed')
    reply(errorOf(error))
  }
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new RequestError(String(error))
}
