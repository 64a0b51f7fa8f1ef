// Where the sources are: tests run compiled, from dist/ or from a build somewhere else.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository: `SHOAL_ROOT`, or the first folder above this file or the working directory that holds it. */
export function repositoryRoot(): string {
  const told = process.env['SHOAL_ROOT']
  if (told !== undefined) return told
  for (const start of [dirname(fileURLToPath(import.meta.url)), process.cwd()]) {
    for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
      if (isRepository(folder)) return folder
    }
  }
  throw new Error('the sources of shoal are nowhere above this file or the working directory: set SHOAL_ROOT')
}

function isRepository(folder: string): boolean {
  const manifest = join(folder, 'package.json')
  if (!existsSync(manifest) || !existsSync(join(folder, 'broker', 'errors.ts'))) return false
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { name?: unknown }).name === 'shoal'
}
