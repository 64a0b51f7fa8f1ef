// Chance as the broker sees it: the system's in production, a seeded generator in a simulation.

export interface Random {
  /** A number in [0, 1). */
  next(): number
  /** An integer in [0, bound). `bound` is at least 1. */
  integer(bound: number): number
  /** `length` random bytes, fit for identities (in production: from the system's CSPRNG). */
  bytes(length: number): Uint8Array
}
