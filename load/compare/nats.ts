// NATS by its MQTT port. MQTT needs JetStream there, which writes messages of QoS 1 and what it knows of
// sessions to a folder: one in memory, where the system has it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { awaitPort, type BrokerKind, Child, freePort, type StartedBroker } from './started.ts'

/** Files here never reach a disk. */
const MEMORY_FOLDER = '/dev/shm'

function configuration(folder: string, mqtt: number, client: number): string {
  return [
    'server_name: load',
    'host: "127.0.0.1"',
    `port: ${client}`,
    `jetstream { store_dir: ${JSON.stringify(join(folder, 'jetstream'))} }`,
    // QoS 1 to one consumer: as many in flight as a subscriber may be sent, not the usual 100.
    `mqtt { host: "127.0.0.1", port: ${mqtt}, max_ack_pending: 65535, consumer_memory_storage: true }`,
    // A subscriber that is slow for a moment is no reason to cut it off.
    'max_pending: 1GB',
    'write_deadline: "60s"',
    ''
  ].join('\n')
}

function path(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map(folder => join(folder, 'nats-server')).find(file => existsSync(file))
}

function version(): string | undefined {
  const file = path()
  if (file === undefined) return undefined
  const { stdout } = spawnSync(file, ['--version'], { encoding: 'utf8' })
  return /v?(\d\S+)/.exec(stdout)?.[1] ?? 'unknown'
}

async function start(core: number | undefined): Promise<StartedBroker> {
  const folder = mkdtempSync(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'load-nats-'))
  const [mqtt, client] = [await freePort(), await freePort()]
  const file = join(folder, 'nats.conf')
  writeFileSync(file, configuration(folder, mqtt, client))
  const child = new Child(core, path() ?? 'nats-server', ['-c', file])
  const stop = async () => {
    await child.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await awaitPort(child, mqtt)
  } catch (error) {
    await stop()
    throw error
  }
  return { urls: [`mqtt://127.0.0.1:${mqtt}`], pids: [child.pid], stop }
}

export const nats: BrokerKind = { version, start }
