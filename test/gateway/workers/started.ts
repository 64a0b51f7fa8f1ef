// Nodes of several workers, as tests start them and look at them.
import type { TestContext } from 'node:test'
import mqtt, { type MqttClient } from 'mqtt'
import { withDeadline } from '../../support/deadline.ts'
import { type Started, startShoal } from '../cli/shoal.ts'

/** The cluster addresses of a node's workers, when all serve. */
export async function workersOf({ child }: Started): Promise<string[]> {
  const [, all = ''] = await child.line(/^workers (.+)$/)
  return all.split(' ')
}

export async function startWorkers(t: TestContext, count: number, ...args: string[]): Promise<Started> {
  return await startShoal(t, '--workers', String(count), '--log-level', 'warn', ...args)
}

export function portOf(url: string): number {
  return Number(url.slice(url.lastIndexOf(':') + 1))
}

/** The samples of one metric, by node. */
export async function samplesOf(node: Started, metric: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${node.http}/metrics`)).text()
  const samples = text.matchAll(new RegExp(`^${metric}\\{node="([^"]+)"\\} (\\d+)$`, 'gm'))
  return new Map([...samples].map(([, id = '', value]) => [id, Number(value)]))
}

export async function connectedTo(
  t: TestContext,
  url: string,
  options: mqtt.IClientOptions = {}
): Promise<MqttClient> {
  const client = mqtt.connect(url, { reconnectPeriod: 0, ...options })
  t.after(() => client.end(true))
  client.on('error', () => {})
  await withDeadline(new Promise<void>(resolve => client.once('connect', () => resolve())), 'the connection')
  return client
}
