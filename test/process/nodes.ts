// Real nodes on loopback, each a process: started on free ports, asked over HTTP, and hurt by signals. None
// outlives its scope.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BrokerStatus, MemberStatus } from '../../broker/broker.ts'
import { eventually } from '../support/eventually.ts'
import { type Child, type Scope, startNode } from '../support/process.ts'

const MAIN = fileURLToPath(new URL('../../gateway/main.js', import.meta.url))
const REQUEST_TIMEOUT_MS = 5_000
const AGREEMENT_MS = 30_000

export interface NodeOptions {
  /** More arguments of `shoal start`. */
  args?: readonly string[]
  base?: NodeProcess
}

export class NodeProcess {
  readonly name: string
  /** `host:port` of its cluster address. */
  readonly id: string
  readonly mqttPort: number
  readonly httpPort: number
  readonly clusterPort: number
  readonly #child: Child

  private constructor(name: string, child: Child, ports: { mqtt: number; http: number; cluster: number }) {
    this.name = name
    this.mqttPort = ports.mqtt
    this.httpPort = ports.http
    this.clusterPort = ports.cluster
    this.id = `127.0.0.1:${ports.cluster}`
    this.#child = child
  }

  /** Settles when it is ready, which is when it owns its part of the ring. */
  static async start(
    scope: Scope,
    name: string,
    { args = [], base }: NodeOptions = {}
  ): Promise<NodeProcess> {
    const ports = ['--mqtt-port', '0', '--http-port', '0', '--cluster-port', '0']
    const joining = base === undefined ? [] : ['--base', base.id]
    const child = startNode(scope, MAIN, ['start', ...ports, '--log-level', 'warn', ...joining, ...args])
    const port = async (pattern: RegExp): Promise<number> =>
      Number((await child.line(pattern, AGREEMENT_MS))[1])
    const cluster = await port(/^cluster \S+:(\d+), members/)
    const mqtt = await port(/^MQTT listening on \S+:(\d+)$/)
    const http = await port(/^WebSocket and HTTP listening on \S+:(\d+)$/)
    const node = new NodeProcess(name, child, { mqtt, http, cluster })
    await eventually(`${name} is ready`, async () => (await node.request('/ready')).ok)
    return node
  }

  /** The ports of TCP, by what they are for. */
  get ports(): readonly (readonly [string, number])[] {
    return [
      ['MQTT', this.mqttPort],
      ['HTTP', this.httpPort],
      ['cluster', this.clusterPort]
    ]
  }

  get webSocketUrl(): string {
    return `ws://127.0.0.1:${this.httpPort}/`
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.httpPort}`
  }

  get lives(): boolean {
    return existsSync(`/proc/${this.#child.pid}`) && !this.#child.ended
  }

  /** What it wrote beyond its start-up lines: warnings and errors. */
  get complaints(): string[] {
    return this.#child.lines.map(line => line.text).filter(text => !/listening on|^cluster /.test(text))
  }

  /** Memory that is resident, in bytes. */
  get residentBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1] ?? Number.NaN) * 1024
  }

  /** Sockets and files that it has open. */
  get openFiles(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length
  }

  async request(path: string, init: RequestInit = {}): Promise<Response> {
    return await fetch(this.httpUrl + path, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
  }

  async status(): Promise<BrokerStatus> {
    return (await (await this.request('/status')).json()) as BrokerStatus
  }

  /** As this node sees it; undefined if it knows no such member. */
  async member(id: string): Promise<MemberStatus | undefined> {
    return (await this.status()).members.find(member => member.id === id)
  }

  /** The id of a topic's owner. */
  async ownerOf(topic: string): Promise<string> {
    const response = await this.request(`/owner?topic=${encodeURIComponent(topic)}`)
    return ((await response.json()) as { owner: string }).owner
  }

  /** kill -9: settles when it is gone. */
  kill(): Promise<void> {
    return this.#child.kill()
  }

  /** SIGSTOP: it is there, and does nothing. */
  pause(): void {
    this.#child.signal('SIGSTOP')
  }

  /** SIGCONT. */
  resume(): void {
    this.#child.signal('SIGCONT')
  }

  /** SIGTERM: settles with the exit code, or the signal's name. */
  stop(): Promise<number | string> {
    this.#child.signal('SIGTERM')
    return this.#child.exit()
  }
}

/** Starts nodes that know each other, the first one alone and the others after it; settles when all agree. */
export async function startCluster(
  scope: Scope,
  names: readonly string[],
  args: readonly string[] = []
): Promise<NodeProcess[]> {
  const [first, ...others] = names
  if (first === undefined) return []
  const base = await NodeProcess.start(scope, first, { args })
  const rest = await Promise.all(others.map(name => NodeProcess.start(scope, name, { base, args })))
  const nodes = [base, ...rest]
  await agreed(nodes)
  return nodes
}

/** Settles when these nodes, and no others, are on the ring of each of them, and all know that all agree. */
export async function agreed(nodes: readonly NodeProcess[]): Promise<void> {
  await eventually(
    `${nodes.map(node => node.name).join(', ')} agree on the ring`,
    async () => {
      const rings = (await Promise.all(nodes.map(node => node.status()))).map(status => status.ring)
      return rings.every(
        ring => ring.agreed && ring.nodes === nodes.length && ring.digest === rings[0]!.digest
      )
    },
    { withinMs: AGREEMENT_MS, everyMs: 50 }
  )
}
