// Mosquitto: no persistence, no log, and no limit at which it drops messages.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { awaitPort, type BrokerKind, Child, freePort, type StartedBroker } from './started.ts'

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

export const mosquitto: BrokerKind = { version: mosquittoVersion, start: startMosquitto }
