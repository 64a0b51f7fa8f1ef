// Five nodes on five hosts with a real network between them, which is cut, slow and lossy: each in a namespace of its
// own. They share a key, as nodes must that are not on loopback.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { withDeadline } from '../support/deadline.ts'
import { eventually } from '../support/eventually.ts'
import { type Child, type Scope, startProgram } from '../support/process.ts'
import { Hosts, requireHosts } from './hosts.ts'
import type { Question, Settled, View } from './ring-node.ts'

const SCRIPT = fileURLToPath(new URL('./ring-node.js', import.meta.url))
const PORT = 7979
const KEY = randomBytes(32).toString('hex')
const COUNT = 5
const ALL = [0, 1, 2, 3, 4]
const KEYS = Array.from({ length: 200 }, (_, i) => `key ${i}`)
const REQUEST_TIMEOUT_MS = 2000
/** A process that waits for the processor is late with its deadlines, too. */
const LATE_MS = 3000
const CONVERGED_MS = 30_000
/** Of each node, while lines are bad: some seconds' worth. */
const REQUESTS = 400

class RingNode {
  readonly id: string
  readonly #child: Child
  readonly #waiting = new Map<number, (answer: unknown) => void>()
  #next = 0

  private constructor(id: string, child: Child) {
    this.id = id
    this.#child = child
    child.onLine = ({ text }) => {
      if (!text.startsWith('{')) return
      const { id, ...answer } = JSON.parse(text) as { id: number }
      this.#waiting.get(id)?.(answer)
      this.#waiting.delete(id)
    }
  }

  /** Settles when the node is on the ring. */
  static async start(scope: Scope, hosts: Hosts, host: number, base?: RingNode): Promise<RingNode> {
    const address = hosts.addresses[host]!
    const args = [SCRIPT, address, String(PORT), KEY, String(REQUEST_TIMEOUT_MS), ...(base ? [base.id] : [])]
    const [program, all] = hosts.command(host, process.execPath, args)
    const node = new RingNode(`${address}:${PORT}`, startProgram(scope, program, all, { stdin: 'pipe' }))
    await node.#child.line(/^up$/, CONVERGED_MS)
    return node
  }

  async view(): Promise<View> {
    return (await this.#ask({ ask: 'view', keys: KEYS })) as View
  }

  /** Begins, or ends, a stream of requests for keys at random. */
  async load(on: boolean): Promise<void> {
    await this.#ask({ ask: 'load', on })
  }

  async account(): Promise<Settled> {
    return (await this.#ask({ ask: 'settled' })) as Settled
  }

  /** When all requests that were begun have ended, one way or another. */
  async settled(): Promise<Settled> {
    const isOver = ({ asked, answered, failed }: Settled): boolean =>
      asked === answered + Object.values(failed).reduce((a, b) => a + b, 0)
    return eventually(
      `the requests of ${this.id} settle`,
      async () => {
        const settled = await this.account()
        return isOver(settled) && settled
      },
      { withinMs: REQUEST_TIMEOUT_MS + LATE_MS }
    )
  }

  #ask(question: Omit<Question, 'id'>): Promise<unknown> {
    const id = ++this.#next
    const answer = new Promise(resolve => this.#waiting.set(id, resolve))
    this.#child.process.stdin?.write(`${JSON.stringify({ ...question, id })}\n`)
    return withDeadline(answer, `an answer of ${this.id}`)
  }
}

async function startRing(t: TestContext): Promise<{ hosts: Hosts; nodes: RingNode[] }> {
  const hosts = Hosts.make(t, COUNT)
  const first = await RingNode.start(t, hosts, 0)
  const others = await Promise.all(ALL.slice(1).map(host => RingNode.start(t, hosts, host, first)))
  const nodes = [first, ...others]
  await converged(nodes)
  return { hosts, nodes }
}

/** Settles when these are on the ring of each of them, and nobody else, and each key is one's and only one's. */
async function converged(nodes: readonly RingNode[]): Promise<void> {
  const ids = nodes.map(node => node.id).sort()
  await eventually(
    `${ids.join(', ')} see each other and nobody else`,
    async () => {
      const views = await Promise.all(nodes.map(node => node.view()))
      for (const { peers } of views) assert.deepEqual(peers.toSorted(), ids)
      const owned = views.flatMap(view => view.owned)
      assert.deepEqual(owned.toSorted(), KEYS.toSorted(), 'each key has one owner')
      return true
    },
    { withinMs: CONVERGED_MS }
  )
}

/** Ends the requests, and says what became of them; each must have ended by its deadline. */
async function accountOf(t: TestContext, nodes: readonly RingNode[]): Promise<Settled[]> {
  await Promise.all(nodes.map(node => node.load(false)))
  const accounts = await Promise.all(nodes.map(node => node.settled()))
  for (const [i, account] of accounts.entries()) {
    t.diagnostic(`${nodes[i]!.id}: ${JSON.stringify(account)}`)
    assert.ok(account.longestMs <= REQUEST_TIMEOUT_MS + LATE_MS, `one took ${account.longestMs} ms`)
    for (const code of Object.keys(account.failed)) assert.match(code, /^[A-Z_]+$/)
  }
  return accounts
}

test('five hosts: one is cut off, then two, and come back; views converge, keys have one owner, requests settle', async t => {
  if (!(await requireHosts(t))) return
  const { hosts, nodes } = await startRing(t)
  await Promise.all(nodes.map(node => node.load(true)))
  for (const cut of [[4], [0, 1]]) {
    const cutAt = performance.now()
    hosts.part(cut)
    const [inside, outside] = [true, false].map(is => nodes.filter((_, i) => cut.includes(i) === is)) as [
      RingNode[],
      RingNode[]
    ]
    // One that is alone doubts itself before the others, for twice as long: it is not waited for.
    await Promise.all(inside.length > 1 ? [converged(inside), converged(outside)] : [converged(outside)])
    const healedAt = performance.now()
    hosts.heal()
    await converged(nodes)
    const [apart, together] = [healedAt - cutAt, performance.now() - healedAt].map(ms => Math.round(ms))
    t.diagnostic(`${cut.length} of ${COUNT} cut off: known in ${apart} ms; healed in ${together} ms`)
  }
  const accounts = await accountOf(t, nodes)
  for (const { asked, answered } of accounts)
    assert.ok(answered > asked / 2, `${answered} of ${asked} answered`)
})

test('five hosts with slow and lossy lines: nobody is taken for dead, requests settle', async t => {
  if (!(await requireHosts(t))) return
  const { hosts, nodes } = await startRing(t)
  const means = [1, 3].map(host => hosts.impair(host, 40, 10))
  if (means.includes('tbf'))
    t.diagnostic('no netem in this kernel: lines of little room, interrupted, stand in')
  await Promise.all(nodes.map(node => node.load(true)))
  await eventually(
    'hundreds of requests',
    async () => {
      const accounts = await Promise.all(nodes.map(node => node.account()))
      return accounts.every(({ asked }) => asked >= REQUESTS)
    },
    { withinMs: CONVERGED_MS }
  )
  const accounts = await accountOf(t, nodes)
  for (const { asked, answered } of accounts)
    assert.ok(answered > asked / 2, `${answered} of ${asked} answered`)
  for (const node of nodes)
    assert.deepEqual((await node.view()).lost, [], `peers that ${node.id} took for dead`)
})
