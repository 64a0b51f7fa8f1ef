// The brokers that a comparison knows: how to tell that one is installed, and how to start it fast
// and fair: on loopback, anonymous, without persistence, without limits that drop messages.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { awaitPort, awaitReady, Child, freePort, type StartedBroker } from './started.ts'

export interface BrokerKind {
  /** Its version, or undefined when it is not installed. */
  version(): string | undefined
  /** Starts it on free ports, pinned to `core` where one is given; resolves when it takes connections. */
  start(core: number | undefined): Promise<StartedBroker>
}

const shoalMain = fileURLToPath(new URL('../../gateway/main.js', import.meta.url))

async function isReady(httpPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${httpPort}/ready`)).ok
  } catch {
    return false
  }
}

async function startShoal(nodes: number, core: number | undefined): Promise<StartedBroker> {
  const children: Child[] = []
  const urls: string[] = []
  const stop = async () => {
    await Promise.all(children.map(child => child.stop()))
  }
  try {
    let base: string[] = []
    for (let i = 0; i < nodes; i++) {
      const [mqtt, http, cluster] = [await freePort(), await freePort(), await freePort()]
      const ports = ['--mqtt-port', `${mqtt}`, '--http-port', `${http}`, '--cluster-port', `${cluster}`]
      const child = new Child(core, process.execPath, [
        shoalMain,
        'start',
        ...ports,
        '--log-level',
        'warn',
        ...base
      ])
      children.push(child)
      await awaitReady(child, () => isReady(http))
      urls.push(`mqtt://127.0.0.1:${mqtt}`)
      if (i === 0) base = ['--base', `127.0.0.1:${cluster}`]
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { urls, pids: children.map(child => child.pid), stop }
}

function mosquittoConfiguration(port: number): string {
  return [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'log_type none',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'max_inflight_bytes 0',
    'max_queued_bytes 0',
    'set_tcp_nodelay true',
    ''
  ].join('\n')
}

/** Debian puts daemons where a user's PATH may not look. */
function mosquittoPath(): string | undefined {
  return [
    '/usr/sbin/mosquitto',
    '/usr/local/sbin/mosquitto',
    '/usr/bin/mosquitto',
    '/opt/homebrew/sbin/mosquitto'
  ].find(path => existsSync(path))
}

async function startMosquitto(core: number | undefined): Promise<StartedBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'load-mosquitto-'))
  const port = await freePort()
  writeFileSync(join(folder, 'mosquitto.conf'), mosquittoConfiguration(port))
  const child = new Child(core, mosquittoPath() ?? 'mosquitto', ['-c', join(folder, 'mosquitto.conf')])
  const stop = async () => {
    await child.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await awaitPort(child, port)
  } catch (error) {
    await stop()
    throw error
  }
  return { urls: [`mqtt://127.0.0.1:${port}`], pids: [child.pid], stop }
}

function mosquittoVersion(): string | undefined {
  const path = mosquittoPath()
  if (path === undefined) return undefined
  const { stdout } = spawnSync(path, ['-h'], { encoding: 'utf8' })
  return /mosquitto version (\S+)/.exec(stdout)?.[1] ?? 'unknown'
}

export const BROKERS = {
  shoal: {
    version: () => (existsSync(shoalMain) ? 'this tree' : undefined),
    start: core => startShoal(1, core)
  },
  'shoal-cluster': {
    version: () => (existsSync(shoalMain) ? 'this tree, 3 nodes' : undefined),
    start: core => startShoal(3, core)
  },
  mosquitto: { version: mosquittoVersion, start: startMosquitto }
} as const satisfies Record<string, BrokerKind>
export type BrokerName = keyof typeof BROKERS
