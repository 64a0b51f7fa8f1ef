// Fences keep a publisher's order when a topic changes hands while its old owner lives: this node asks the
// old owner "have you dealt with all I sent you?", and what it publishes on the topics that moved waits for
// the answer. Without it a message that the old owner passes on could be overtaken by a younger one.
import { moves } from '../ring/moves.ts'
import type { Ring } from '../ring/ring.ts'
import type { Peer } from './peer.ts'
import type { Router } from './router.ts'
import type { Fence } from './view.ts'

/** Fences follow messages that were passed on, no further than messages are. */
const FENCE_DEPTH_MAX = 2
const FENCE_TIMEOUT_MS = 2000
const FENCE_RETRY_MS = 20
/** Two nodes could wait for each other only through two wrong views of the ring; this ends even that. */
const FENCE_GIVE_UP_MS = 10_000

export class Fencing {
  readonly #router: Router

  constructor(router: Router) {
    this.#router = router
  }

  /** Raises a fence for every living node that lost topics and may hold messages of ours. */
  raise(before: Ring): void {
    const { view } = this.#router
    const losers = new Set<string | null>()
    for (const move of moves(before, view.ring)) losers.add(move.before)
    for (const peer of view.peers.values()) {
      if (!losers.has(peer.id) || peer.published === peer.publishedConfirmed) continue
      const fence = { peer, ring: before }
      view.fences.add(fence)
      this.#askFor(fence)
    }
    view.touch()
  }

  /** What a fenced node gives back, or passes on, is what the fence waits for. */
  isRaisedAt(from: Peer | null): boolean {
    for (const fence of this.#router.view.fences) if (fence.peer === from) return true
    return false
  }

  /**
   * A publisher asks whether all it sent here is dealt with: ordered here, or received by the owner it was passed on
   * to. Answers at once when nothing was passed on.
   */
  answer(asker: Peer, depth: number, answer: () => void): void {
    if (depth >= FENCE_DEPTH_MAX) return answer()
    const { publishing } = this.#router
    if (publishing.holdsFor(asker)) {
      publishing.whenReleased(() => this.answer(asker, depth, answer))
      return
    }
    const asked = [...this.#router.view.peers.values()].filter(peer => peer.passedOn > peer.passedOnConfirmed)
    let left = asked.length
    if (left === 0) return answer()
    for (const peer of asked) {
      const passedOn = peer.passedOn
      this.#ask(peer, depth + 1, this.#router.clock.now(), () => {
        peer.passedOnConfirmed = Math.max(peer.passedOnConfirmed, passedOn)
        if (--left === 0) answer()
      })
    }
  }

  #askFor(fence: Fence): void {
    const { peer } = fence
    const published = peer.published
    this.#ask(peer, 1, this.#router.clock.now(), () => {
      peer.publishedConfirmed = Math.max(peer.publishedConfirmed, published)
      this.#router.view.fences.delete(fence)
      this.#router.view.touch()
      this.#router.publishing.reroute()
    })
  }

  /** Asks until there is an answer, the peer is gone, or it has taken too long to be worth the wait. */
  #ask(peer: Peer, depth: number, since: number, answered: () => void): void {
    const router = this.#router
    if (peer.gone || router.closed) return answered()
    if (router.clock.now() - since > FENCE_GIVE_UP_MS) {
      router.counters.fencesGivenUp++
      return answered()
    }
    const again = (): void => {
      router.clock.after(FENCE_RETRY_MS, () => this.#ask(peer, depth, since, answered))
    }
    if (peer.link === null) return again()
    peer.link.requestCallback('fence', { depth }, FENCE_TIMEOUT_MS, error => {
      if (error === null) answered()
      else again()
    })
  }
}
