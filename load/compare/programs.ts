// Programs of other brokers, found where systems put them. Debian puts daemons where a user's PATH may not look.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const DAEMON_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin']

/** Where a program is; undefined when it is not installed. */
export function programPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...DAEMON_FOLDERS]
  return folders.map(folder => join(folder, name)).find(file => existsSync(file))
}

/** The first version number that a program prints when it is started with `args`; undefined when it is not installed. */
export function programVersion(name: string, args: readonly string[]): string | undefined {
  const path = programPath(name)
  if (path === undefined) return undefined
  const { stdout } = spawnSync(path, args, { encoding: 'utf8' })
  return /\d+\.\d+[\w.-]*/.exec(stdout)?.[0] ?? 'unknown'
}
