// "Did you mean": the known word nearest to one that was mistyped.
// Source: Damerau-Levenshtein distance, in its optimal string alignment form.

/** The word that is fewest slips of the finger away from `written`; undefined if all are too far to be meant. */
export function suggestion(written: string, words: readonly string[]): string | undefined {
  const plain = simplify(written)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1
  for (const word of words) {
    const distance = slips(plain, simplify(word))
    if (distance < bestDistance) {
      best = word
      bestDistance = distance
    }
  }
  return best
}

/** `mqttPort`, `mqtt-port` and `MQTT_PORT` are the same word, written by different customs. */
function simplify(word: string): string {
  return word.slice(0, 64).toLowerCase().replaceAll(/[-_]/g, '')
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function slips(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= a.length; i++) {
    const above = rows[i - 1]!
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let fewest = Math.min(replaced, above[j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        fewest = Math.min(fewest, rows[i - 2]![j - 2]! + 1)
      }
      row.push(fewest)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
