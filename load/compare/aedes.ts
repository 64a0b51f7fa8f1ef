// aedes, the MQTT broker in JavaScript: in a process of its own, or as three that a Redis connects.
import { fileURLToPath } from 'node:url'
import { Child } from './child.ts'
import { packageUrl, packageVersion } from './packages.ts'
import { programVersion } from './programs.ts'
import {
  awaitPort,
  type BrokerKind,
  freePort,
  type MqttProcess,
  type StartedBroker,
  started
} from './started.ts'

const program = fileURLToPath(new URL('./aedes-main.js', import.meta.url))
const AEDES = 'aedes'
const EMITTER = 'mqemitter-redis'
const PERSISTENCE = 'aedes-persistence-redis'
const NODES = 3

async function aedesProcess(core: number | undefined, ...redis: string[]): Promise<MqttProcess> {
  const port = await freePort()
  return {
    port,
    child: new Child(core, process.execPath, [program, `${port}`, packageUrl(AEDES)!, ...redis])
  }
}

async function start(core: number | undefined): Promise<StartedBroker> {
  return await started([await aedesProcess(core)])
}

async function startWithRedis(core: number | undefined): Promise<StartedBroker> {
  const port = await freePort()
  const quick = ['--bind', '127.0.0.1', '--port', `${port}`, '--save', '', '--appendonly', 'no']
  const redis = new Child(core, 'redis-server', quick)
  const processes: MqttProcess[] = []
  try {
    await awaitPort(redis, port)
    for (let i = 0; i < NODES; i++) {
      processes.push(await aedesProcess(core, `${port}`, packageUrl(EMITTER)!, packageUrl(PERSISTENCE)!))
    }
  } catch (error) {
    await redis.stop()
    throw error
  }
  return await started(processes, undefined, [redis])
}

function versionWithRedis(): string | undefined {
  const redis = programVersion('redis-server', ['--version'])
  const versions = [AEDES, EMITTER, PERSISTENCE].map(packageVersion)
  if (redis === undefined || versions.includes(undefined)) return undefined
  return `${versions[0]}, ${NODES} nodes, ${EMITTER} ${versions[1]}, redis ${redis}`
}

export const aedes: BrokerKind = { version: () => packageVersion(AEDES), start }
export const aedesRedis: BrokerKind = { clusterOf: 'aedes', version: versionWithRedis, start: startWithRedis }
