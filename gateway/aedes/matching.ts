// Finds the stored subscriptions of topics, at all nodes. The topics of one tick are asked for together, and answered in
// the order in which they were asked, so that what was published first is queued first.
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Scatter } from './scatter.ts'
import type { MatchedSubscription } from './subscription-index.ts'

interface Asked {
  topic: string
  resolve(found: MatchedSubscription[] | PromiseLike<MatchedSubscription[]>): void
}

export class Matching {
  readonly #scatter: Scatter
  readonly #clock: Clock
  #asked: Asked[] = []
  /** When what was asked before has been answered. */
  #before: Promise<unknown> = Promise.resolve()

  constructor(scatter: Scatter, clock: Clock) {
    this.#scatter = scatter
    this.#clock = clock
  }

  match(topic: string): Promise<MatchedSubscription[]> {
    return new Promise(resolve => {
      this.#asked.push({ topic, resolve })
      if (this.#asked.length === 1) this.#clock.defer(() => this.#ask())
    })
  }

  #ask(): void {
    const asked = this.#asked
    this.#asked = []
    const topics = [...new Set(asked.map(({ topic }) => topic))]
    const before = this.#before
    const answers = this.#scatter.ask<{ matches: MatchedSubscription[][] }>({ cmd: 'match', topics })
    const found = (async () => {
      await before
      return await answers
    })()
    answers.catch(() => {})
    this.#before = found.catch(() => {})
    for (const { topic, resolve } of asked) {
      const at = topics.indexOf(topic)
      resolve(found.then(nodes => nodes.flatMap(({ matches }) => matches[at]!)))
    }
  }
}
