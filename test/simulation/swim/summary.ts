// Many measurements of one thing in four figures.

export interface Summary {
  count: number
  mean: number
  median: number
  p99: number
  max: number
}

/** NaN in each figure where nothing was measured. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
  const sum = sorted.reduce((a, b) => a + b, 0)
  return {
    count: sorted.length,
    mean: sum / sorted.length,
    median: at(0.5),
    p99: at(0.99),
    max: sorted.at(-1) ?? Number.NaN
  }
}
