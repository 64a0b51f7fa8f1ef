// The listeners of this node, and how many messages they handle at a time.
import { Matcher, type TopicRules } from './matcher.ts'

/** A message: `topic` says where it goes, all else is the application's. */
export interface TopicMessage {
  readonly topic: string
  readonly [field: string]: unknown
}

/** `this` is the emitter. Calls `done` when it has handled the message. */
export type Listener = (message: TopicMessage, done: () => void) => void

export interface ListenersOptions extends TopicRules {
  /** Messages that are handled at a time; 0: any number. */
  readonly concurrency: number
  /** Messages that wait for their turn. One more fails with LIMIT_EXCEEDED. */
  readonly queueMax: number
}

interface Waiting {
  readonly message: TopicMessage
  readonly handled: () => void
}

export class Listeners {
  readonly #options: ListenersOptions
  readonly #self: object
  readonly #failed: (error: unknown) => void
  readonly #matcher: Matcher<Listener>
  /** Listeners by filter: the matcher does not list them. */
  readonly #filters = new Map<string, Set<Listener>>()
  readonly #queue: Waiting[] = []
  /** Messages that are being handled. */
  current = 0

  /** `self` is what listeners are called on; `failed` is told of one that throws, which counts as done. */
  constructor(options: ListenersOptions, self: object, failed: (error: unknown) => void) {
    this.#failed = failed
    this.#options = options
    this.#self = self
    this.#matcher = new Matcher(options)
  }

  get queued(): number {
    return this.#queue.length
  }

  get filters(): Iterable<string> {
    return this.#filters.keys()
  }

  has(filter: string): boolean {
    return this.#filters.has(filter)
  }

  get filterCount(): number {
    return this.#filters.size
  }

  /** True if the filter is new to this node. */
  add(filter: string, listener: Listener): boolean {
    this.#matcher.add(filter, listener)
    const listeners = this.#filters.get(filter)
    if (listeners === undefined) this.#filters.set(filter, new Set([listener]))
    else listeners.add(listener)
    return listeners === undefined
  }

  /** True if the filter has no listener any more. */
  remove(filter: string, listener: Listener): boolean {
    const listeners = this.#filters.get(filter)
    if (listeners?.delete(listener) !== true) return false
    this.#matcher.remove(filter, listener)
    return listeners.size === 0 && this.#filters.delete(filter)
  }

  /** True if the filter had listeners. */
  removeAll(filter: string): boolean {
    for (const listener of this.#filters.get(filter) ?? []) this.#matcher.remove(filter, listener)
    return this.#filters.delete(filter)
  }

  /** Hands a message to all that match, at once or when its turn comes; `handled` is called when each is done. False when there is no room. */
  tell(message: TopicMessage, handled: () => void): boolean {
    const { concurrency, queueMax } = this.#options
    if (concurrency === 0 || (this.current < concurrency && this.#queue.length === 0)) {
      this.#handle({ message, handled })
      return true
    }
    return this.#queue.length < queueMax && this.#queue.push({ message, handled }) > 0
  }

  /** Each listener gets the message, and must say that it is done; saying so twice counts once. */
  #handle({ message, handled }: Waiting): void {
    const listeners = this.#matcher.match(message.topic)
    if (listeners.size === 0) return handled()
    let left = listeners.size
    this.current++
    for (const listener of listeners) {
      let isDone = false
      const done = (): void => {
        if (isDone) return
        isDone = true
        if (--left > 0) return
        this.current--
        handled()
        this.#next()
      }
      try {
        listener.call(this.#self, message, done)
      } catch (error) {
        this.#failed(error)
        done()
      }
    }
  }

  #next(): void {
    const { concurrency } = this.#options
    while (this.#queue.length > 0 && this.current < concurrency) this.#handle(this.#queue.shift()!)
  }
}
