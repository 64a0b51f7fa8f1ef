// The compiled `shoal` program as tests start it: on free ports, told nothing by the environment.
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Child, startNode } from '../../support/process.ts'

export const MAIN = fileURLToPath(new URL('../../../gateway/main.js', import.meta.url))

/** An empty variable counts as not given. */
const ENVIRONMENT = { SHOAL_ROOT: '', NO_COLOR: '1' }

export function shoal(t: TestContext, args: readonly string[], env: Record<string, string> = {}): Child {
  return startNode(t, MAIN, args, { env: { ...ENVIRONMENT, ...env } })
}

export interface Outcome {
  readonly code: number | string
  readonly out: string[]
  readonly errors: string[]
}

/** Runs a command to its end. */
export async function run(t: TestContext, ...args: string[]): Promise<Outcome> {
  const child = shoal(t, args)
  const code = await child.exit()
  const from = (output: 'stdout' | 'stderr'): string[] =>
    child.lines.filter(line => line.from === output).map(({ text }) => text)
  return { code, out: from('stdout'), errors: from('stderr') }
}

export interface Started {
  readonly child: Child
  readonly mqtt: string
  readonly http: string
  readonly cluster: string
}

const FREE_PORTS = ['--mqtt-port', '0', '--http-port', '0', '--cluster-port', '0']

/** A node on free ports, when it serves. */
export async function startShoal(t: TestContext, ...args: string[]): Promise<Started> {
  const child = shoal(t, ['start', ...FREE_PORTS, '--preset', 'local', ...args])
  const [, cluster = ''] = await child.line(/^cluster (\S+), members \d+$/)
  const [, mqtt = ''] = await child.line(/^MQTT listening on (\S+)$/)
  const [, http = ''] = await child.line(/^WebSocket and HTTP listening on (\S+)$/)
  return { child, mqtt, http, cluster }
}
