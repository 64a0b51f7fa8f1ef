// Puts a prefix before each line of another process's output.
import type { Readable } from 'node:stream'

const LINE_LENGTH_MAX = 64 * 1024

/** Calls `write` with each whole line, and with what is left at the end. A longer line than 64 Ki characters is broken. */
export function prefixLines(stream: Readable, prefix: string, write: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) write(`${prefix}${line}`)
    if (rest.length <= LINE_LENGTH_MAX) return
    write(`${prefix}${rest}`)
    rest = ''
  })
  stream.on('end', () => {
    if (rest !== '') write(`${prefix}${rest}`)
  })
}
