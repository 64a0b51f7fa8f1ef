// NATS by its MQTT port, as one server or three. MQTT needs JetStream there, which writes messages of QoS 1 and what
// it knows of sessions to a folder: one in memory, where the system has it.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import { programPath, programVersion } from './programs.ts'
import { type BrokerKind, freePort, type MqttProcess, type StartedBroker, started } from './started.ts'

/** Files here never reach a disk. */
const MEMORY_FOLDER = '/dev/shm'
const NODES = 3

interface Ports {
  mqtt: number
  client: number
  cluster: number
}

/** `routes` are the cluster ports of all servers; of one alone there are none. */
function configuration(name: string, folder: string, ports: Ports, routes: readonly number[]): string {
  const addresses = routes.map(port => `"nats://127.0.0.1:${port}"`).join(', ')
  return [
    `server_name: ${name}`,
    'host: "127.0.0.1"',
    `port: ${ports.client}`,
    `jetstream { store_dir: ${JSON.stringify(folder)} }`,
    // QoS 1 to one consumer: as many in flight as a subscriber may be sent, not the usual 100.
    `mqtt { host: "127.0.0.1", port: ${ports.mqtt}, max_ack_pending: 65535, consumer_memory_storage: true }`,
    // A subscriber that is slow for a moment is no reason to cut it off.
    'max_pending: 1GB',
    'write_deadline: "60s"',
    routes.length === 0
      ? ''
      : `cluster { name: load, host: "127.0.0.1", port: ${ports.cluster}, routes: [${addresses}] }`,
    ''
  ].join('\n')
}

async function startServers(nodes: number, core: number | undefined): Promise<StartedBroker> {
  const folder = mkdtempSync(join(existsSync(MEMORY_FOLDER) ? MEMORY_FOLDER : tmpdir(), 'load-nats-'))
  const ports: Ports[] = []
  for (let i = 0; i < nodes; i++) {
    ports.push({ mqtt: await freePort(), client: await freePort(), cluster: await freePort() })
  }
  const routes = nodes === 1 ? [] : ports.map(({ cluster }) => cluster)
  const processes: MqttProcess[] = ports.map((own, i) => {
    const place = join(folder, `${i}`)
    mkdirSync(place)
    const file = join(place, 'nats.conf')
    writeFileSync(file, configuration(`load${i}`, join(place, 'jetstream'), own, routes))
    return {
      port: own.mqtt,
      child: new Child(core, programPath('nats-server') ?? 'nats-server', ['-c', file])
    }
  })
  return await started(processes, () => rmSync(folder, { recursive: true, force: true }))
}

const version = () => programVersion('nats-server', ['--version'])

export const nats: BrokerKind = { version, start: core => startServers(1, core) }
export const natsCluster: BrokerKind = {
  clusterOf: 'nats',
  version() {
    const one = version()
    return one && `${one}, ${NODES} nodes`
  },
  start: core => startServers(NODES, core)
}
