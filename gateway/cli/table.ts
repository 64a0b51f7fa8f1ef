// Rows of text in columns that line up.

/** Two spaces between columns; numbers (all cells of a column but its title) stand to the right. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const columns = titles.map((title, column) => {
    const cells = rows.map(row => row[column] ?? '')
    const width = Math.max(title.length, ...cells.map(cell => cell.length))
    return {
      width,
      isNumber: cells.length > 0 && cells.every(cell => /^(?:[\d.,]+(?: [A-Za-z%]+)?|-)$/.test(cell))
    }
  })
  return [titles, ...rows].map(row => {
    const cells = columns.map(({ width, isNumber }, column) => {
      const cell = row[column] ?? ''
      return isNumber ? cell.padStart(width) : cell.padEnd(width)
    })
    return cells.join('  ').trimEnd()
  })
}
