// Gathers the figures of all nodes of the process, for whichever of them is asked. Requests that come while others are
// being gathered for share the answer, so that there is one question at a time.
import type { NodeFigures } from '../http/metrics.ts'

export class Gatherer {
  readonly #ask: () => void
  #waiting: ((others: readonly NodeFigures[]) => void)[] = []

  /** `ask` asks the main thread, which answers with `gathered`, always. */
  constructor(ask: () => void) {
    this.#ask = ask
  }

  async gather(own: NodeFigures): Promise<readonly NodeFigures[]> {
    const others = await new Promise<readonly NodeFigures[]>(resolve => {
      if (this.#waiting.push(resolve) === 1) this.#ask()
    })
    return [own, ...others]
  }

  gathered(others: readonly NodeFigures[]): void {
    for (const resolve of this.#waiting.splice(0)) resolve(others)
  }
}
