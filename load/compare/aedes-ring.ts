// aedes as three processes that a ring connects: `gateway/aedes`, beside the same three on a Redis.
import { fileURLToPath } from 'node:url'
import { Child } from './child.ts'
import { packageUrl, packageVersion } from './packages.ts'
import {
  awaitPort,
  type BrokerKind,
  freePort,
  type MqttProcess,
  type StartedBroker,
  started
} from './started.ts'

const program = fileURLToPath(new URL('./aedes-ring-main.js', import.meta.url))
const AEDES = 'aedes'
const NODES = 3

async function start(core: number | undefined): Promise<StartedBroker> {
  const first = await freePort()
  const processes: MqttProcess[] = []
  try {
    for (let i = 0; i < NODES; i++) {
      const [port, clusterPort] = [await freePort(), i === 0 ? first : await freePort()]
      const base = i === 0 ? [] : [`127.0.0.1:${first}`]
      const args = [program, `${port}`, packageUrl(AEDES)!, `${clusterPort}`, ...base]
      const child = new Child(core, process.execPath, args)
      processes.push({ port, child })
      await awaitPort(child, port)
    }
  } catch (error) {
    await Promise.all(processes.map(({ child }) => child.stop()))
    throw error
  }
  return await started(processes)
}

function version(): string | undefined {
  const aedes = packageVersion(AEDES)
  return aedes === undefined ? undefined : `${aedes}, ${NODES} nodes on a ring`
}

export const aedesRing: BrokerKind = { clusterOf: 'aedes', version, start }
