// Shoal of this tree: one node, a cluster, or several nodes as workers of one process.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Child } from './child.ts'
import { awaitReady, type BrokerKind, freePort, type StartedBroker } from './started.ts'

const shoalMain = fileURLToPath(new URL('../../gateway/main.js', import.meta.url))

async function isReady(httpPort: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${httpPort}/ready`)).ok
  } catch {
    return false
  }
}

/** How the nodes are started, if not as usual. */
export interface ShoalStart {
  /** For Node, before the program. */
  nodeOptions?: readonly string[]
  /** For the program. */
  options?: readonly string[]
  /** Hears what the nodes write to stdout. */
  heard?: (text: string) => void
}

/** Each node joins by the first one's address; all share `core`. */
export async function startShoal(
  nodes: number,
  core: number | undefined,
  { nodeOptions = [], options = [], heard }: ShoalStart = {}
): Promise<StartedBroker> {
  const children: Child[] = []
  const urls: string[] = []
  const webUrls: string[] = []
  const stop = async () => {
    await Promise.all(children.map(child => child.stop()))
  }
  try {
    let base: string[] = []
    for (let i = 0; i < nodes; i++) {
      const [mqtt, http, cluster] = [await freePort(), await freePort(), await freePort()]
      const ports = ['--mqtt-port', `${mqtt}`, '--http-port', `${http}`, '--cluster-port', `${cluster}`]
      const how = [...nodeOptions, shoalMain, 'start', '--log-level', 'warn', ...options]
      const child = new Child(core, process.execPath, [...how, ...ports, ...base], heard)
      children.push(child)
      await awaitReady(child, () => isReady(http))
      urls.push(`mqtt://127.0.0.1:${mqtt}`)
      webUrls.push(`http://127.0.0.1:${http}`)
      if (i === 0) base = ['--base', `127.0.0.1:${cluster}`]
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { urls, webUrls, pids: children.map(child => child.pid), stop }
}

/** A cluster of `nodes` nodes; of one, a node by itself. */
export function shoal(nodes: number): BrokerKind {
  return {
    speaks: ['mqtt', 'browser'],
    ...(nodes === 1 ? {} : { clusterOf: 'shoal' }),
    version: () =>
      existsSync(shoalMain) ? (nodes === 1 ? 'this tree' : `this tree, ${nodes} nodes`) : undefined,
    start: core => startShoal(nodes, core)
  }
}

/** One process of `count` workers, which all share a core: what they use together is what counts. */
export function shoalWorkers(count: number): BrokerKind {
  return {
    speaks: ['mqtt', 'browser'],
    clusterOf: 'shoal',
    version: () => (existsSync(shoalMain) ? `this tree, ${count} workers` : undefined),
    start: async core => {
      let allServe: () => void = () => {}
      const announced = new Promise<void>(resolve => {
        allServe = resolve
      })
      const heard = (text: string): void => {
        if (/^workers /m.test(text)) allServe()
      }
      const started = await startShoal(1, core, { options: ['--workers', String(count)], heard })
      await announced
      return started
    }
  }
}
