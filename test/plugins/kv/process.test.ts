// Handover under load in real processes: 200 keys are written a thousand times a second while nodes are killed outright, join and
// leave. Nothing that was acknowledged is lost, and live streams report their gaps.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Kv, type KvUpdate, kv, kvOf } from '../../../broker/plugins/kv/index.ts'
import { type Upring, upring } from '../../../broker/upring.ts'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { type Child, startNode } from '../../support/process.ts'

const PROGRAM = fileURLToPath(new URL('./kv-program.js', import.meta.url))
const KEYS = 200
const PUTS_PER_TICK = 20
const TICK_MS = 20

class Cluster {
  readonly children = new Map<string, Child>()
  readonly #t: TestContext

  constructor(t: TestContext) {
    this.#t = t
  }

  async join(): Promise<string> {
    const child = startNode(this.#t, PROGRAM, [...this.children.keys()])
    const [, id] = await child.line(/^up (\S+)$/)
    this.children.set(id!, child)
    return id!
  }

  async end(id: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.children.get(id)!
    this.children.delete(id)
    child.signal(signal)
    await child.exit(30_000)
  }
}

/** Writes each key's next number whenever the one before was answered, about a thousand a second. */
class Writer {
  readonly numbers = Array.from({ length: KEYS }, () => ({ put: 0, acknowledged: 0, isPutting: false }))
  acknowledged = 0
  readonly failures: unknown[] = []
  readonly #store: Kv
  readonly #timer: NodeJS.Timeout
  #next = 0

  constructor(store: Kv) {
    this.#store = store
    this.#timer = setInterval(() => {
      for (let i = 0; i < PUTS_PER_TICK; i++) this.#put(this.#next++ % KEYS)
    }, TICK_MS)
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await eventually('all puts are answered', () => this.numbers.every(({ isPutting }) => !isPutting), {
      withinMs: 15_000
    })
  }

  #put(index: number): void {
    const state = this.numbers[index]!
    if (state.isPutting) return
    state.isPutting = true
    const number = ++state.put
    this.#store
      .put(`key${index}`, number)
      .then(
        () => {
          state.acknowledged = number
          this.acknowledged++
        },
        error => this.failures.push(error)
      )
      .finally(() => {
        state.isPutting = false
      })
  }
}

/** Faults of a live stream: jumps that it did not report. */
function follow(store: Kv, key: string): { faults: string[]; last: () => number } {
  const faults: string[] = []
  let [revision, number, isGap] = [0, 0, true]
  const stream = store.liveUpdates(key, { versions: true })
  stream.on('data', (entry: KvUpdate<number>) => {
    isGap ||= entry.missed !== 0
    const now = entry.version?.revision ?? 0
    if (!isGap && now !== revision + 1) faults.push(`${key}: ${revision} to ${now}`)
    if ((entry.value ?? 0) < number) faults.push(`${key}: ${number} back to ${entry.value}`)
    revision = now
    number = entry.value ?? 0
    isGap = false
  })
  stream.on('error', error => faults.push(error.message))
  return { faults, last: () => number }
}

async function clientOf(t: TestContext, base: string[]): Promise<Upring> {
  const client = upring({ client: true, base, logLevel: 'silent', cluster: { preset: 'local' } })
  client.use(kv)
  t.after(() => client.close())
  await withDeadline(once(client, 'up'), 'the client is up')
  return client
}

test('nothing acknowledged is lost when nodes are killed, join and leave under load', {
  timeout: 90_000
}, async t => {
  const cluster = new Cluster(t)
  for (let i = 0; i < 3; i++) await cluster.join()
  const client = await clientOf(t, [...cluster.children.keys()])
  const store = kvOf(client)
  const flows = Array.from({ length: 20 }, (_, i) => follow(store, `key${i}`))
  const writer = new Writer(store)
  const written = async (): Promise<void> => {
    const { acknowledged } = writer
    await eventually('writes go on', () => writer.acknowledged > acknowledged + 500, { withinMs: 15_000 })
  }
  await written()
  for (let i = 0; i < 2; i++) {
    const [victim] = cluster.children.keys()
    await cluster.end(victim!, 'SIGKILL')
    await eventually('the death is told', () => client.peers().every(({ id }) => id !== victim))
    await written()
    await cluster.join()
    await written()
    const [leaver] = cluster.children.keys()
    await Promise.all([cluster.end(leaver!, 'SIGTERM'), cluster.join()])
    await written()
  }
  await writer.end()
  for (const [i, { put, acknowledged }] of writer.numbers.entries()) {
    const value = (await store.get<number>(`key${i}`)) ?? 0
    assert(
      value >= acknowledged && value <= put,
      `key${i} is ${value}, ${acknowledged} of ${put} was acknowledged`
    )
  }
  for (const [i, { faults, last }] of flows.entries()) {
    assert.deepEqual(faults, [])
    await eventually(
      `the live stream of key${i} is up to date`,
      () => last() >= writer.numbers[i]!.acknowledged
    )
  }
  assert.deepEqual(writer.failures, [])
})
