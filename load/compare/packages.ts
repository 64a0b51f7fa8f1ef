// Packages of other brokers, found where Node finds modules: in the project, or in a folder of NODE_PATH.
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Where a package begins, as an address that `import` takes; undefined when it is not installed. */
export function packageUrl(name: string): string | undefined {
  const file = entryOf(name)
  return file === undefined ? undefined : pathToFileURL(file).href
}

/** A package's version; undefined when it is not installed. */
export function packageVersion(name: string): string | undefined {
  const file = entryOf(name)
  if (file === undefined) return undefined
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (!existsSync(manifest)) continue
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string }
    if (version !== undefined) return version
  }
  return 'unknown'
}

function entryOf(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name)
  } catch {
    return undefined
  }
}
