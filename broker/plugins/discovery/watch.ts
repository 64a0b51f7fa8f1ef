// What `watch` yields: the difference between what a service was and what it is. So whatever was missed while the owner of the
// service died, the watcher's picture is right again with the next update.
import { Readable } from 'node:stream'
import type { Upring } from '../../upring/api.ts'
import { Live } from '../records/live.ts'
import { decodeService, type Service } from './service.ts'

export interface ServiceEvent<Meta = unknown> {
  readonly type: 'up' | 'down' | 'changed'
  readonly instance: string
  /** Of `down`: what it said last. */
  readonly meta: Meta
}

/** A readable stream of `ServiceEvent`s: first an `up` for each instance there is, then what changes. Ends by `destroy`, and with its node. */
export class ServiceWatch extends Readable {
  readonly #live: Live
  #known: Service = new Map()

  constructor(upring: Upring, namespace: string, service: string) {
    super({ objectMode: true })
    this.#live = new Live({
      upring,
      namespace,
      key: service,
      yields: ({ value }) => decodeService(value)
    })
    this.#live.on('data', (now: Service) => this.#tell(now))
    this.#live.on('end', () => this.push(null))
    this.#live.on('error', error => this.destroy(error))
  }

  /** Ends the stream, for its reader too. */
  finish(): void {
    this.#live.finish()
  }

  override _read(): void {
    this.#live.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#live.destroy()
    done(error)
  }

  #tell(now: Service): void {
    const before = this.#known
    this.#known = now
    let hasRoom = true
    const tell = (event: ServiceEvent): void => {
      hasRoom = this.push(event)
    }
    for (const [instance, { meta }] of before) if (!now.has(instance)) tell({ type: 'down', instance, meta })
    for (const [instance, { meta, lease }] of now) {
      const known = before.get(instance)
      if (known === undefined) tell({ type: 'up', instance, meta })
      else if (known.lease !== lease || !isSame(known.meta, meta)) tell({ type: 'changed', instance, meta })
    }
    if (!hasRoom) this.#live.pause()
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
