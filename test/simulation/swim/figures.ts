// Figures as the reports write them.

/** ms as seconds, three digits that count. */
export function seconds(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'never'
  return count(ms / 1000)
}

/** 1234 -> `1,234`; 12.345 -> `12.3`; 0.01234 -> `0.0123`; 2 -> `2`. */
export function count(value: number): string {
  if (Number.isNaN(value)) return ''
  if (Number.isInteger(value) || value >= 100) return Math.round(value).toLocaleString('en')
  return String(Number(value.toPrecision(3)))
}

export function percent(share: number): string {
  return `${count(100 * share)} %`
}

export function perHour(times: number, hours: number): string {
  return count(times / hours)
}
