// A node of an upring as a process of its own, which a test asks by lines of JSON: `{ id, ask, ... }` on the input is
// answered by `{ id, ... }` on the output.
//
//   node ring-node.js <address> <port> <cluster key> <deadline of a request, ms> [base]
import { createInterface } from 'node:readline'
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import { upring } from '../../broker/upring.ts'

/** Between two requests of a node's stream of them. */
const REQUEST_GAP_MS = 10

export interface Question {
  id: number
  /** `view`: who is on the ring, and which of the keys are this node's. `load`: begin, or end, a stream of requests. */
  ask: 'view' | 'load' | 'settled'
  keys?: readonly string[]
  on?: boolean
}

export interface View {
  peers: string[]
  /** Who has left the ring, in this node's eyes. */
  lost: string[]
  /** Those of the keys asked about that are this node's. */
  owned: string[]
}

/** What became of the stream's requests. */
export interface Settled {
  asked: number
  answered: number
  /** By the code of the error. */
  failed: Record<string, number>
  /** From a call to its end, at most. */
  longestMs: number
}

const [host = '', port = '', key = '', requestTimeoutMs = '', base] = process.argv.slice(2)
const ring = upring({
  host,
  port: Number(port),
  base: base ?? [],
  logLevel: 'silent',
  requestTimeoutMs: Number(requestTimeoutMs),
  cluster: { preset: 'local', clusterKeys: new ClusterKeys([key]) }
})
const settled: Settled = { asked: 0, answered: 0, failed: {}, longestMs: 0 }
const lost: string[] = []
let load: NodeJS.Timeout | null = null

ring.add('cmd:who', (_request, reply) => reply(null, { id: ring.whoami() }))

async function ask(key: string): Promise<void> {
  settled.asked++
  const startedAt = performance.now()
  try {
    await ring.request({ cmd: 'who', key })
    settled.answered++
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? error)
    settled.failed[code] = (settled.failed[code] ?? 0) + 1
  }
  settled.longestMs = Math.max(settled.longestMs, performance.now() - startedAt)
}

function setLoad(on: boolean): void {
  if (load !== null) clearInterval(load)
  load = on ? setInterval(() => void ask(`key ${Math.random()}`), REQUEST_GAP_MS) : null
}

function answer({ ask: what, keys = [], on = false }: Question): View | Settled | object {
  if (what === 'settled') return settled
  if (what === 'view')
    return {
      peers: ring.peers(true).map(({ id }) => id),
      lost,
      owned: keys.filter(key => ring.allocatedToMe(key))
    }
  setLoad(on)
  return {}
}

createInterface({ input: process.stdin }).on('line', line => {
  const question = JSON.parse(line) as Question
  process.stdout.write(`${JSON.stringify({ ...answer(question), id: question.id })}\n`)
})
ring.on('peerDown', ({ id }) => lost.push(id))
ring.on('up', () => process.stdout.write('up\n'))
