// The scope of a program's run, as `TestContext` is that of a test: what was begun is ended, the last first.
import type { Scope } from '../support/process.ts'

export class Lifetime implements Scope {
  #ends: (() => void | Promise<void>)[] = []

  after(run: () => void | Promise<void>): void {
    this.#ends.push(run)
  }

  /** Ends everything, and rejects with the first error when all have had their turn. */
  async end(): Promise<void> {
    const errors: unknown[] = []
    for (const run of this.#ends.splice(0).reverse()) {
      try {
        await run()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors[0]
  }
}

/** Runs something with a scope that ends with it. */
export async function withLifetime<T>(run: (scope: Scope) => Promise<T>): Promise<T> {
  const lifetime = new Lifetime()
  try {
    return await run(lifetime)
  } finally {
    await lifetime.end()
  }
}
