// One request and its response, which may be answered once, and is gone when the client is: every way
// to its end goes through here, so that what belongs to a request is given back on all of them.
import type { HttpResponse } from 'uWebSockets.js'
import { type Answer, type HttpError, respond, respondAndClose } from './respond.ts'

export class Exchange {
  readonly #res: HttpResponse
  #isOver = false
  #onEnd: (() => void)[] = []

  /** To be made within the request's handler. */
  constructor(res: HttpResponse) {
    this.#res = res
    res.onAborted(() => {
      this.#end()
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Calls `run` once when the exchange is over: answered, or left by the client. Now, if it is. */
  onEnd(run: () => void): void {
    if (this.#isOver) run()
    else this.#onEnd.push(run)
  }

  /** Hands over the body as it comes. `chunk` is only valid during the call. */
  onData(run: (chunk: ArrayBuffer, isLast: boolean) => void): void {
    this.#res.onData((chunk, isLast) => {
      if (!this.#isOver) run(chunk, isLast)
    })
  }

  /** Does nothing when the exchange is over. */
  answer(answer: Answer): void {
    if (this.#end()) respond(this.#res, answer)
  }

  /** Answers with an error. */
  fail(error: HttpError): void {
    this.answer(error.answer)
  }

  /** Answers with an error, and closes the connection. */
  giveUp(error: HttpError): void {
    if (this.#end()) respondAndClose(this.#res, error.answer)
  }

  /** False if it was over before. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    for (const run of this.#onEnd) run()
    this.#onEnd = []
    return true
  }
}
