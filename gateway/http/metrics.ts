// The figures of a node, or of all nodes of a process, in Prometheus's text format: what the broker counts, what
// its gateways count, and what the process uses.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/
import type { BrokerStatus } from '../../broker/broker.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

type Labels = Readonly<Record<string, string>>

/** What one node counts. Plain values only, so that it can be sent from thread to thread. */
export interface NodeFigures {
  readonly status: BrokerStatus
  /** Of the two gateways: the numbers in them are shown. */
  readonly web: Readonly<object>
  readonly mqtt: Readonly<object>
}

/** Puts the figures of the other nodes of this process beside a node's own. Never rejects. */
export type Gather = (own: NodeFigures) => Promise<readonly NodeFigures[]>

/** The whole text; every line ends with `\n`. If `labelled`, each sample says which node it is of: `node="host:port"`. */
export function metricsText(nodes: readonly NodeFigures[], labelled: boolean): string {
  const text = new MetricsText()
  for (const node of nodes) {
    text.labels = labelled ? { node: node.status.id } : {}
    ofNode(text, node)
  }
  text.labels = {}
  processUse(text)
  return text.toString()
}

function ofNode(text: MetricsText, { status, web, mqtt }: NodeFigures): void {
  text.family('shoal_ready', 'gauge', 'Whether the node serves.').sample(Number(status.ready))
  members(text, status)
  text.family('shoal_ring_nodes', 'gauge', 'Nodes on the ring.').sample(status.ring.nodes)
  text.family('shoal_topics', 'gauge', 'Topics that this node knows.').sample(status.topics)
  text.family('shoal_subscriptions', 'gauge', 'Subscriptions of local clients.').sample(status.subscriptions)
  text.family('shoal_retained', 'gauge', 'Retained messages kept here.').sample(status.retained)
  links(text, status)
  for (const [name, value] of Object.entries(status.counters)) {
    text.family(`shoal_${snake(name)}_total`, 'counter', 'Counted by the broker.').sample(value)
  }
  gateway(text, 'web', web)
  gateway(text, 'mqtt', mqtt)
}

function members(text: MetricsText, status: BrokerStatus): void {
  text.family('shoal_members', 'gauge', 'Members of the cluster, as this node sees them.')
  const counts = new Map<string, number>()
  for (const { state } of status.members) counts.set(state, (counts.get(state) ?? 0) + 1)
  for (const [state, count] of counts) text.sample(count, { state })
  const self = status.members.find(member => member.self)
  text.family('shoal_ring_share', 'gauge', 'Part of the ring that this node owns.').sample(self?.share ?? 0)
}

function links(text: MetricsText, status: BrokerStatus): void {
  text.family('shoal_link_buffered_bytes', 'gauge', 'Bytes that wait to be written to a peer.')
  for (const link of status.links) text.sample(link.buffered, { peer: link.id })
  text.family('shoal_link_received_bytes_total', 'counter', 'Bytes read from a peer since the link stands.')
  for (const link of status.links) text.sample(link.bytesIn, { peer: link.id })
  text.family('shoal_link_sent_bytes_total', 'counter', 'Bytes written to a peer since the link stands.')
  for (const link of status.links) text.sample(link.bytesOut, { peer: link.id })
}

/** `connections` is a gauge, all else is counted up. */
function gateway(text: MetricsText, name: string, figures: Readonly<object>): void {
  for (const [figure, value] of Object.entries(figures)) {
    if (typeof value !== 'number') continue
    const metric = `shoal_${name}_${snake(figure).replace(/_total$/, '')}`
    if (figure === 'connections') text.family(metric, 'gauge', 'Clients connected now.').sample(value)
    else text.family(`${metric}_total`, 'counter', `Counted by the ${name} gateway.`).sample(value)
  }
}

function processUse(text: MetricsText): void {
  const { user, system } = process.cpuUsage()
  const seconds = (user + system) / 1e6
  text.family('process_cpu_seconds_total', 'counter', 'CPU time of the process.').sample(seconds)
  const bytes = residentBytes()
  if (bytes !== null)
    text.family('process_resident_memory_bytes', 'gauge', 'Memory of the process.').sample(bytes)
  text.family('process_uptime_seconds', 'gauge', 'Age of the process.').sample(process.uptime())
}

/** Null when it cannot be read: the system tells it in a file, and the process may have as many open as it is allowed. */
function residentBytes(): number | null {
  try {
    return process.memoryUsage.rss()
  } catch {
    return null
  }
}

class MetricsText {
  /** Added to every sample. */
  labels: Labels = {}
  /** The lines of each metric: they must stand together, also when they are of several nodes. */
  readonly #families = new Map<string, string[]>()
  #lines: string[] = []
  #name = ''

  /** The metric of the samples that follow. */
  family(name: string, type: 'counter' | 'gauge', help: string): this {
    this.#name = name
    this.#lines = this.#families.get(name) ?? [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
    this.#families.set(name, this.#lines)
    return this
  }

  sample(value: number, labels: Labels = {}): this {
    const pairs = Object.entries({ ...this.labels, ...labels }).map(
      ([label, text]) => `${label}="${escapeLabel(text)}"`
    )
    const set = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
    this.#lines.push(`${this.#name}${set} ${value}`)
    return this
  }

  toString(): string {
    return `${[...this.#families.values()].flat().join('\n')}\n`
  }
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`).replaceAll(/[^a-z0-9_]/g, '_')
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
