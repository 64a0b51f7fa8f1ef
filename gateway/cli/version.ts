// The version of this program, from its package.json.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRecord } from './http.ts'

/** Looks in the folders above this file; `unknown` if the program was taken out of its package. */
export function version(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    if (dirname(folder) === folder) return 'unknown'
    folder = dirname(folder)
  }
  const parsed: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return isRecord(parsed) && typeof parsed['version'] === 'string' ? parsed['version'] : 'unknown'
}
