// Who has lost sight of this node. A node that stood still, or was cut off, may have been taken for dead without ever
// hearing of it. So each node numbers the peers as they come into its sight, and tells a peer its number whenever a link
// opens: a peer that gets another number than before, from the same instance, was out of sight meanwhile.
import type { Identity } from '../link/handlers.ts'
import type { Link } from '../link/link.ts'

export const HELLO = 'upring.hello'

interface Seen {
  readonly instance: string
  readonly number: number
  wasMember: boolean
}

/** Peers remembered that have said hello; the longest silent is forgotten first. */
const HEARD_MAX = 10_000

export class Sight {
  readonly #dropped: () => void
  /** Peers in our sight, with our number for them. */
  readonly #seen = new Map<string, Seen>()
  /** The numbers that they have told us, with the instance that told. */
  readonly #heard = new Map<string, { instance: string; number: number }>()
  #numbers = 0

  /** `dropped` is called when a peer had lost sight of this node. */
  constructor(dropped: () => void) {
    this.#dropped = dropped
  }

  linkOpened(link: Link): void {
    const { id, instance } = link.peer
    let seen = this.#seen.get(id)
    if (seen?.instance !== instance) {
      seen = { instance, number: ++this.#numbers, wasMember: false }
      this.#seen.set(id, seen)
    }
    link.fire(HELLO, { number: seen.number })
  }

  /** `members` are all that live, as id → instance. */
  membersChanged(members: ReadonlyMap<string, string>): void {
    for (const [id, seen] of this.#seen) {
      if (members.get(id) === seen.instance) seen.wasMember = true
      else if (seen.wasMember) this.#seen.delete(id)
    }
  }

  /** A peer's HELLO; what is none is ignored. */
  hello({ id, instance }: Identity, body: unknown): void {
    const number = typeof body === 'object' && body !== null && 'number' in body ? body.number : null
    if (typeof number !== 'number') return
    const before = this.#heard.get(id)
    this.#heard.delete(id)
    this.#heard.set(id, { instance, number })
    if (this.#heard.size > HEARD_MAX) {
      const oldest = this.#heard.keys().next().value
      if (oldest !== undefined) this.#heard.delete(oldest)
    }
    if (before?.instance === instance && before.number !== number) this.#dropped()
  }
}
