// What a plan promises, stream by stream: how many deliveries a message makes, and whether its publish is
// acknowledged. With what was published so far it says what must still come.
import type { Board } from './board.ts'
import type { Plan } from './plan.ts'

export class Expectation {
  /** Deliveries of each message, by stream. */
  readonly #fanouts: Float64Array
  /** By stream: 1 for QoS 1 and 2. */
  readonly #acknowledged: Float64Array
  readonly #board: Board

  constructor(plan: Plan, board: Board) {
    this.#board = board
    this.#fanouts = new Float64Array(plan.streams)
    this.#acknowledged = new Float64Array(plan.streams)
    for (const { publish } of plan.clients) {
      if (publish === undefined) continue
      const { firstStream, topics, fanout, qos } = publish
      this.#fanouts.fill(fanout, firstStream, firstStream + topics.length)
      this.#acknowledged.fill(qos === 0 ? 0 : 1, firstStream, firstStream + topics.length)
    }
  }

  /** Deliveries that what was published makes. */
  deliveries(): number {
    return this.#weighted(this.#fanouts)
  }

  /** Publishes so far that are to be acknowledged. */
  acknowledgements(): number {
    return this.#weighted(this.#acknowledged)
  }

  /** Whether all that was published arrived, or is known to be lost, and was acknowledged. */
  isMet(): boolean {
    return (
      this.#board.settledTotal() >= this.deliveries() &&
      this.#board.total('acknowledged') >= this.acknowledgements()
    )
  }

  #weighted(weights: Float64Array): number {
    const { published } = this.#board
    let sum = 0
    for (let i = 0; i < weights.length; i++) sum += published[i]! * weights[i]!
    return sum
  }
}
