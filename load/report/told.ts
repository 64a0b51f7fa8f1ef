// A result where people and programs look for it: the summary on the screen, and the files that the options name.
import { writeFileSync } from 'node:fs'
import { faultsOf } from '../integrity.ts'
import type { LoadOptions } from '../options.ts'
import type { LoadResult } from '../result.ts'
import { type Screen, summary } from './console.ts'
import { htmlReport } from './html.ts'

/** Prints the summary, writes `--json` and `--html`, and returns whether every message came once and in order. */
export function tellResult(result: LoadResult, options: LoadOptions, screen: Screen): boolean {
  const { lossAllowed, integrity } = result
  screen.write(`${summary(result, lossAllowed)}\n`)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`)
  if (options.html !== undefined) writeFileSync(options.html, htmlReport(result, lossAllowed))
  return faultsOf(integrity, lossAllowed).length === 0
}
