// Publishes the wills of the clients of a process that has died, at the nodes that keep them, as soon as the ring knows of the death.
// aedes by itself would do so after four heartbeats, that is minutes.
import type { Log } from '../../broker/runtime/log.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { AedesNode } from './node.ts'
import { decodePacket } from './packet.ts'
import type { AedesBroker, RingPersistence } from './persistence.ts'

export interface WillsParts {
  upring: Upring
  node: AedesNode
  persistence: RingPersistence
  log: Log
}

export class Wills {
  readonly counters = { published: 0, failed: 0 }
  readonly #parts: WillsParts
  readonly #dead = new Set<string>()
  #isPublishing = false

  constructor(parts: WillsParts) {
    this.#parts = parts
    parts.upring.on('peerDown', ({ id }) => this.#dead.add(id))
    parts.upring.on('peerUp', ({ id }) => this.#dead.delete(id))
    parts.node.onRestored = () => void this.#publish()
  }

  async #publish(): Promise<void> {
    const { node, persistence } = this.#parts
    const { broker } = persistence
    if (broker === null || this.#dead.size === 0 || this.#isPublishing) return
    this.#isPublishing = true
    const dead = new Set(this.#dead)
    for (const [clientId, will] of [...node.wills()])
      if (dead.has(will.node))
        await this.#publishOne(broker, { id: clientId, brokerId: will.brokerId }, will.bytes)
    for (const each of dead) this.#dead.delete(each)
    this.#isPublishing = false
    // Another may have died meanwhile.
    void this.#publish()
  }

  async #publishOne(
    broker: AedesBroker,
    client: { id: string; brokerId: string },
    bytes: Uint8Array
  ): Promise<void> {
    const will = decodePacket(bytes)
    try {
      await told(done => {
        if (broker.authorizePublish === undefined) done()
        else broker.authorizePublish(null, will, done)
      })
      await told(done => broker.publish(will, done))
      this.counters.published++
      await this.#parts.persistence.delWill(client)
    } catch (error) {
      this.counters.failed++
      this.#parts.log.warn({ client: client.id, error }, 'aedes will not published')
    }
  }
}

function told(call: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => call(error => (error ? reject(error) : resolve())))
}
