// Publishes at QoS 1 from the call to the answer, in order: some are sent and wait for their answer, the
// others wait for room in the window. When the connection drops, all of them wait again, oldest first.
//
//   oldest  ┌──────┬──────┬──────┬─────────┬─────────┐  newest
//           │ sent │ sent │ sent │ waiting │ waiting │
//           └──────┴──────┴──────┴─────────┴─────────┘
import { ClientError } from './errors.ts'
import type { RequestId } from './wire.ts'

export interface Published {
  /** Whether anyone was subscribed. At QoS 0 it is not known, and true. */
  readonly matched: boolean
}

interface Publication {
  readonly id: RequestId
  readonly line: string
  readonly resolve: (published: Published) => void
  readonly reject: (error: Error) => void
}

export class Publications {
  readonly #max: number
  #sent = new Map<RequestId, Publication>()
  #waiting: Publication[] = []

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#sent.size + this.#waiting.length
  }

  /** Adds one at the end. Rejects QUEUE_FULL, or with the answer's error. */
  add(id: RequestId, line: string): Promise<Published> {
    if (this.size >= this.#max) {
      return Promise.reject(new ClientError('QUEUE_FULL', `${this.#max} messages wait to be published`, true))
    }
    return new Promise((resolve, reject) => this.#waiting.push({ id, line, resolve, reject }))
  }

  /** Sends those that wait while fewer than `window` are sent. */
  send(window: number, send: (line: string, id: RequestId) => void): void {
    let next = 0
    while (next < this.#waiting.length && this.#sent.size < window) {
      const publication = this.#waiting[next++]!
      this.#sent.set(publication.id, publication)
      send(publication.line, publication.id)
    }
    if (next > 0) this.#waiting.splice(0, next)
  }

  /** Settles the one of that id. False if there is none. */
  settle(id: RequestId | undefined, answer: Published | ClientError): boolean {
    const publication = id === undefined ? undefined : this.#sent.get(id)
    if (publication === undefined) return false
    this.#sent.delete(publication.id)
    if (answer instanceof ClientError) publication.reject(answer)
    else publication.resolve(answer)
    return true
  }

  /** The connection is gone, and with it the answers: what was sent will be sent again. */
  dropped(): void {
    this.#waiting = [...this.#sent.values(), ...this.#waiting]
    this.#sent.clear()
  }

  /** Rejects all. */
  end(error: Error): void {
    this.dropped()
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
