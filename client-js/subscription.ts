// A subscription of a program to one filter: a handler that is called, or an iterator that waits for its
// reader. What the reader has not taken is bounded, with a policy for what comes beyond.
import { ClientError } from './errors.ts'
import type { Message } from './payload.ts'
import type { RequestId } from './wire.ts'

export type Handler = (message: Message) => void

export interface SubscribeOptions {
  /** Messages that wait for the iterator's reader. Default 1,000. */
  queueMax?: number
  /** What gives way when they are so many: the oldest (default), the newest, or the subscription (`QUEUE_FULL`). */
  overflow?: 'drop-oldest' | 'drop-newest' | 'error'
}

/** What a subscription needs of its client. */
export interface SubscriptionOwner {
  /** The subscription has ended. */
  unsubscribed(subscription: Subscription): void
}

type Waiter = { resolve: (result: IteratorResult<Message>) => void; reject: (error: Error) => void }

/** Ends by `close`, by leaving a `for await` over it, or when its client closes. */
export class Subscription implements AsyncIterableIterator<Message> {
  readonly filter: string
  /** Settles when the cluster has the subscription for the first time; rejects when it is refused (ClientError). */
  readonly ready: Promise<void>
  /** Messages that were dropped because the iterator's reader was too slow. */
  dropped = 0
  /** @internal The request that is to make it; changes at each. */
  id: RequestId = 0
  readonly #owner: SubscriptionOwner
  readonly #handler: Handler | undefined
  readonly #queueMax: number
  readonly #overflow: SubscribeOptions['overflow']
  #queue: Message[] = []
  #waiters: Waiter[] = []
  #error: Error | null = null
  #isClosed = false
  #settle!: { resolve: () => void; reject: (error: Error) => void }

  constructor(
    owner: SubscriptionOwner,
    filter: string,
    handler: Handler | undefined,
    options: SubscribeOptions
  ) {
    this.filter = filter
    this.#owner = owner
    this.#handler = handler
    this.#queueMax = options.queueMax ?? 1_000
    this.#overflow = options.overflow
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Who does not look at `ready` learns of it by the client's `error` event.
    this.ready.catch(() => {})
  }

  /** Unsubscribes. What the iterator has is still read. Twice is once. */
  close(): void {
    this.end(null)
  }

  next(): Promise<IteratorResult<Message>> {
    const message = this.#queue.shift()
    if (message !== undefined) return Promise.resolve({ value: message, done: false })
    if (this.#error !== null) return Promise.reject(this.#error)
    if (this.#isClosed) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  return(): Promise<IteratorResult<Message>> {
    this.close()
    this.#queue = []
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @internal */
  accepted(): void {
    this.#settle.resolve()
  }

  /** @internal */
  deliver(message: Message): void {
    if (this.#isClosed) return
    if (this.#handler !== undefined) return this.#handler(message)
    const waiter = this.#waiters.shift()
    if (waiter !== undefined) return waiter.resolve({ value: message, done: false })
    if (this.#queue.length < this.#queueMax) {
      this.#queue.push(message)
    } else if (this.#overflow === 'error') {
      this.end(
        new ClientError('QUEUE_FULL', `${this.#queueMax} messages of ${this.filter} wait for a reader`)
      )
    } else {
      this.dropped++
      if (this.#overflow === 'drop-newest') return
      this.#queue.shift()
      this.#queue.push(message)
    }
  }

  /** @internal Ends it, by an error or without. */
  end(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#error = error
    this.#settle.reject(error ?? new ClientError('CLOSED', 'the subscription is closed'))
    for (const waiter of this.#waiters) {
      if (error === null) waiter.resolve({ value: undefined, done: true })
      else waiter.reject(error)
    }
    this.#waiters = []
    this.#owner.unsubscribed(this)
  }
}
