// Which nodes this node believes to be on the ring. A question that goes to all of them carries the asker's view, and is refused by
// whoever has another: else a key that moves just now could be answered for by nobody.
import type { Upring } from '../../broker/upring/api.ts'

export class View {
  readonly #upring: Upring
  #isStale = true
  #nodes: readonly string[] = []
  #id = ''

  constructor(upring: Upring) {
    this.#upring = upring
    for (const event of ['up', 'peerUp', 'peerDown', 'move', 'steal'] as const)
      upring.on(event, () => {
        this.#isStale = true
      })
  }

  /** Ids of the nodes on the ring, ordered. */
  get nodes(): readonly string[] {
    this.#renew()
    return this.#nodes
  }

  /** Equal at two nodes that believe the same. */
  get id(): string {
    this.#renew()
    return this.#id
  }

  #renew(): void {
    if (!this.#isStale) return
    this.#isStale = false
    const nodes = this.#upring.peers().map(({ id }) => id)
    const self = this.#upring.mymeta()
    // A client is on no ring, and neither is a node that leaves.
    if (self.points.length > 0) nodes.push(self.id)
    this.#nodes = nodes.sort()
    this.#id = this.#nodes.join()
  }
}
