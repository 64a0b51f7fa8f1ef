// Brokers to try the statements on: Shoal as one node, as three, and over WebSocket; and Mosquitto.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBroker } from '../../../broker/broker.ts'
import { nodeRuntime } from '../../../broker/runtime/node.ts'
import { listenMqtt } from '../../../gateway/mqtt/index.ts'
import { listenWeb } from '../../../gateway/websocket/listener.ts'
import { freePort } from '../../support/free-port.ts'
import { type Scope, startProgram } from '../../support/process.ts'
import { findTool } from '../../support/tools.ts'
import type { Target } from './run.ts'

const HOST = '127.0.0.1'

interface Node {
  readonly cluster: string
  readonly mqtt: string
  readonly webSocket: string
}

/** Shoal in this process, closed with the scope. Three targets on four nodes: one alone, and a cluster of three. */
export async function startShoal(scope: Scope): Promise<Target[]> {
  const alone = await startNode(scope, [])
  const first = await startNode(scope, [])
  const others = [await startNode(scope, [first.cluster]), await startNode(scope, [first.cluster])]
  const three = [first, ...others]
  return [
    { name: 'shoal', urls: [alone.mqtt] },
    { name: 'shoal-3', urls: three.map(node => node.mqtt) },
    { name: 'shoal-ws', urls: three.map(node => node.webSocket) }
  ]
}

async function startNode(scope: Scope, base: readonly string[]): Promise<Node> {
  const place = { clusterHost: HOST, advertiseHost: HOST, clusterPort: await freePort() }
  const broker = createBroker({ ...place, base: [...base], insecure: true }, nodeRuntime())
  scope.after(() => broker.close())
  await broker.start()
  const mqtt = await listenMqtt(broker, { port: 0, lingerMs: 200 })
  scope.after(() => mqtt.close())
  const web = await listenWeb(broker, { port: 0 }, transport => mqtt.gateway.accept(transport))
  scope.after(() => web.close())
  return {
    cluster: broker.id,
    mqtt: `mqtt://${HOST}:${mqtt.address.port}`,
    webSocket: `ws://${HOST}:${web.address.port}`
  }
}

/** Mosquitto as a child process; null if it is not installed. */
export async function startMosquitto(scope: Scope): Promise<Target | null> {
  const program = findTool('mosquitto')
  if (program === null) return null
  const folder = await mkdtemp(join(tmpdir(), 'mosquitto-'))
  scope.after(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const file = join(folder, 'mosquitto.conf')
  const lines = [`listener ${port} ${HOST}`, 'allow_anonymous true', 'persistence false', 'log_dest stderr']
  await writeFile(file, `${lines.join('\n')}\n`)
  const child = startProgram(scope, program, ['-c', file])
  await child.line(/mosquitto version .* running/)
  return { name: 'mosquitto', urls: [`mqtt://${HOST}:${port}`] }
}
