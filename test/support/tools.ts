// Programs that some tests need and not every machine has. A test without its tool is skipped, loudly: the
// runner lists it at the end, and fails if CI is set, where every tool must be there.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'

/** How a skip for a missing tool begins: the runner looks for it. */
export const NEEDS = 'needs '

/** Where Debian has them. */
const PACKAGES: Readonly<Record<string, string>> = {
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  chromium: 'chromium',
  curl: 'curl',
  openssl: 'openssl',
  'redis-server': 'redis-server',
  ip: 'iproute2',
  tc: 'iproute2'
}

/** The path of a program, or null. An absolute path is looked at as it is. */
export function findTool(name: string): string | null {
  const folders = name.startsWith('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter)
  for (const folder of [...folders, '/usr/sbin']) {
    const path = folder === '' ? name : join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not here.
    }
  }
  return null
}

/** Whether a program is there. Skips the test if not; the caller then returns. */
export function requireTool(t: TestContext, name: string): boolean {
  if (findTool(name) !== null) return true
  const source = PACKAGES[name]
  t.skip(`${NEEDS}${name}${source === undefined ? '' : ` (Debian: ${source})`}`)
  return false
}
