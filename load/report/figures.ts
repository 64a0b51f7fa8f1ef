// Figures as people read them.

/** 1234567 -> `1.23 M`; 45600 -> `45.6 k`; 12.3 -> `12.3`. Three digits that count. */
export function count(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 9_995) return `${(value / 1e3).toPrecision(3)} k`
  return value >= 99.95 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(3)
}

/** µs as µs, ms or s. */
export function duration(us: number): string {
  if (us >= 999_500) return `${(us / 1e6).toPrecision(3)} s`
  if (us >= 999.5) return `${(us / 1e3).toPrecision(3)} ms`
  return `${Math.round(us)} µs`
}

/** KiB as KiB or MiB. */
export function memory(kib: number): string {
  return kib >= 10_000 ? `${(kib / 1024).toFixed(0)} MiB` : `${kib.toFixed(0)} KiB`
}
