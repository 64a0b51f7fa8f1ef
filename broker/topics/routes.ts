// At an owner: which nodes have subscribers of a topic. Each node writes its own rows; a digest of
// them, kept as they come and go, tells whether what stands here is what the node has sent.
// Source: DESIGN.md, section 6. The digest is a sum, so that the order of arrival leaves no trace.
import { hashKey } from '../ring/hash.ts'
import { isWildcard } from './filter.ts'
import { Trie } from './trie.ts'

/** Filters by node. A node is whatever object stands for one; it is known from its first filter to its last. */
export class RouteTable<N extends object> {
  /** Differs whenever `match` may give another answer than before. */
  version = 0
  /** Pairs of a node and a filter. It has no limit of its own: the router limits what a node may send. */
  size = 0
  private readonly nodes = new Map<N, NodeRoutes<N>>()
  private readonly exact = new Map<string, NodeRoutes<N>[]>()
  private readonly wildcards = new Trie<NodeRoutes<N>>()
  private readonly matching: NodeRoutes<N>[] = []
  private nodesMade = 0

  /** False if the node had the filter already. */
  add(node: N, filter: string): boolean {
    let routes = this.nodes.get(node)
    if (routes === undefined) {
      routes = new NodeRoutes(node, this.nodesMade++)
      this.nodes.set(node, routes)
    }
    if (routes.filters.has(filter)) return false
    routes.filters.add(filter)
    routes.digest = (routes.digest + hashKey(filter)) >>> 0
    if (isWildcard(filter)) this.wildcards.add(filter, routes)
    else this.addExact(filter, routes)
    this.version++
    this.size++
    return true
  }

  /** False if the node did not have the filter. */
  remove(node: N, filter: string): boolean {
    const routes = this.nodes.get(node)
    if (routes === undefined || !routes.filters.delete(filter)) return false
    routes.digest = (routes.digest - hashKey(filter)) >>> 0
    if (routes.filters.size === 0) this.nodes.delete(node)
    this.detach(filter, routes)
    return true
  }

  /** Removes all filters of a node that is gone. Returns how many there were. */
  removeNode(node: N): number {
    const routes = this.nodes.get(node)
    if (routes === undefined) return 0
    this.nodes.delete(node)
    for (const filter of routes.filters) this.detach(filter, routes)
    return routes.filters.size
  }

  has(node: N, filter: string): boolean {
    return this.nodes.get(node)?.filters.has(filter) ?? false
  }

  /** The filters of a node in the order in which they were added. One that is removed meanwhile is left out. */
  filters(node: N): Iterable<string> {
    return this.nodes.get(node)?.filters ?? []
  }

  /** How many filters a node has. */
  count(node: N): number {
    return this.nodes.get(node)?.filters.size ?? 0
  }

  /** As `digestOf(filters(node))`, without a walk. */
  digest(node: N): number {
    return this.nodes.get(node)?.digest ?? 0
  }

  /** Appends each node with a filter that matches the valid topic, once, in the order of their first filters. */
  match(topic: string, into: N[]): void {
    const matching = this.matching
    const exact = this.exact.get(topic)
    if (exact !== undefined) for (let i = 0; i < exact.length; i++) matching.push(exact[i]!)
    this.wildcards.match(topic, matching)
    if (matching.length > 1) this.keepDistinct(matching.sort(byOrder))
    for (let i = 0; i < matching.length; i++) into.push(matching[i]!.node)
    matching.length = 0
  }

  private keepDistinct(matching: NodeRoutes<N>[]): void {
    let kept = 1
    for (let i = 1; i < matching.length; i++) {
      if (matching[i] !== matching[kept - 1]) matching[kept++] = matching[i]!
    }
    matching.length = kept
  }

  private addExact(filter: string, routes: NodeRoutes<N>): void {
    const row = this.exact.get(filter)
    if (row === undefined) this.exact.set(filter, [routes])
    else row.push(routes)
  }

  private detach(filter: string, routes: NodeRoutes<N>): void {
    this.version++
    this.size--
    if (isWildcard(filter)) {
      this.wildcards.remove(filter, routes)
      return
    }
    const row = this.exact.get(filter)!
    row.splice(row.indexOf(routes), 1)
    if (row.length === 0) this.exact.delete(filter)
  }
}

class NodeRoutes<N extends object> {
  readonly node: N
  readonly order: number
  readonly filters = new Set<string>()
  digest = 0

  constructor(node: N, order: number) {
    this.node = node
    this.order = order
  }
}

function byOrder(a: { order: number }, b: { order: number }): number {
  return a.order - b.order
}

/** An unsigned 32-bit number of distinct filters, the same in any order; 0 for none. Compare their count as well. */
export function digestOf(filters: Iterable<string>): number {
  let digest = 0
  for (const filter of filters) digest = (digest + hashKey(filter)) >>> 0
  return digest
}
