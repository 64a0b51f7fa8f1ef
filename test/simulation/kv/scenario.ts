// Handover under load, from a seed: 200 keys are written a thousand times a second while nodes join, leave and are killed.
// Nothing that was acknowledged is lost while the owner or the replica of its key lives; a get finds what was acknowledged
// before it began, or later; and a live stream shows every change, in order, or says that it does not.
import { type Kv, type KvUpdate, kv, kvOf } from '../../../broker/plugins/kv/index.ts'
import { isSettled, ringOfPlugin } from '../../plugins/rings.ts'
import type { RingNode, Rings } from '../../upring/rings.ts'

export type KvFault = 'join' | 'leave' | 'crash' | 'restart' | 'pause' | 'partition'

/** Those after which nothing may be lost. With the others both sides of a cut may write, and the later write wins. */
export const KV_FAULTS: readonly KvFault[] = ['join', 'leave', 'crash', 'restart']
export const KV_FAULTS_ALL: readonly KvFault[] = [...KV_FAULTS, 'pause', 'partition']

export interface KvScenarioOptions {
  /** How long things happen, in ms of virtual time; after that all is quiet. */
  busyMs: number
  faults?: readonly KvFault[]
  /** Default 1000. */
  putsPerSecond?: number
}

export interface KvOutcome {
  readonly violations: string[]
  readonly faults: string[]
  put: number
  acknowledged: number
  got: number
  /** Updates that live streams showed, and that they said were missed. */
  shown: number
  missed: number
  /** From a put to its acknowledgement, at worst, in ms. */
  slowestMs: number
}

const KEYS = 200
const STREAMS = 40
const TICK_MS = 20
const NODES_MIN = 3
const NODES_MAX = 7
const PAUSE_MS_MAX = 10_000
/** Longer than a death takes to be noticed. */
const KILL_PAUSE_MS = 8000
const REST_MS = 2000
const QUIET_MS = 120_000

interface Value {
  /** Of its key, counted by the only writer that key has. */
  readonly number: number
}

interface Register {
  readonly key: string
  /** The last number that was put, and that was acknowledged. */
  put: number
  acknowledged: number
  /** Who puts now, or has put and not been answered a short while ago. */
  by: RingNode | null
  /** Numbers that were not acknowledged: they may have been put or not. */
  readonly unsure: Set<number>
}

interface Flow {
  readonly key: string
  readonly by: RingNode
  revision: number
  number: number
  isGap: boolean
}

export async function runKvScenario(seed: number, options: KvScenarioOptions): Promise<KvOutcome> {
  const faults = options.faults ?? KV_FAULTS
  const rings = await ringOfPlugin(seed, NODES_MIN + 1, ({ upring }) => {
    upring.on('error', () => {})
    upring.use(kv, { handoverTimeoutMs: 30_000 })
  })
  const scenario = new Scenario(rings, faults)
  await scenario.run(options.busyMs, (options.putsPerSecond ?? 1000) * (TICK_MS / 1000))
  await scenario.check()
  return scenario.outcome
}

class Scenario {
  readonly outcome: KvOutcome = {
    violations: [],
    faults: [],
    put: 0,
    acknowledged: 0,
    got: 0,
    shown: 0,
    missed: 0,
    slowestMs: 0
  }
  readonly #rings: Rings
  readonly #kinds: readonly KvFault[]
  /** Neither side of a cut is wrong about what it does not hear of. */
  readonly #isStrict: boolean
  readonly #registers: Register[] = []
  readonly #flows: Flow[] = []
  /** Paused or leaving. */
  readonly #faulty = new Set<RingNode>()
  #killedAt = 0

  constructor(rings: Rings, kinds: readonly KvFault[]) {
    this.#rings = rings
    this.#kinds = kinds
    this.#isStrict = kinds.every(kind => KV_FAULTS.includes(kind))
    for (let i = 0; i < KEYS; i++)
      this.#registers.push({ key: `key${i}`, put: 0, acknowledged: 0, by: null, unsure: new Set() })
  }

  async run(busyMs: number, putsPerTick: number): Promise<void> {
    const { simulation } = this.#rings
    const { random } = simulation
    for (let i = 0; i < STREAMS; i++) this.#follow()
    for (const end = simulation.now + busyMs; simulation.now < end; ) {
      for (let i = 0; i < putsPerTick; i++) this.#put()
      for (let i = 0; i < putsPerTick / 4; i++) this.#get()
      if (random.chance(0.02)) this.#fault()
      await simulation.run(TICK_MS)
    }
  }

  async check(): Promise<void> {
    const rings = this.#rings
    const { simulation } = rings
    await simulation.run(PAUSE_MS_MAX)
    await simulation.until(() => rings.all.every(({ upring }) => upring.isReady), QUIET_MS)
    await rings.agreed(QUIET_MS)
    for (let still = 0, since = simulation.now; still < 3; ) {
      if (simulation.now - since > QUIET_MS) return this.#violated('the ring does not come to rest')
      await simulation.run(1100)
      const isQuiet = rings.all.every(({ upring }) => isSettled(kvOf(upring).status))
      still = isQuiet && this.#registers.every(({ by }) => by === null) ? still + 1 : 0
    }
    await this.#checkValues()
    this.#checkFlows()
    this.#checkHolders()
  }

  async #checkValues(): Promise<void> {
    for (const { key, put, acknowledged } of this.#registers) {
      const gets = this.#rings.all.map(({ upring }) => kvOf(upring).get<Value>(key))
      const numbers = (await this.#rings.settle(Promise.all(gets))).map(value => value?.number ?? 0)
      const [first = 0] = numbers
      if (numbers.some(number => number !== first)) this.#violated(`${key} is ${numbers.join(', ')}`)
      if (this.#isStrict && (first < acknowledged || first > put))
        this.#violated(`${key} is ${first}, ${acknowledged} of ${put} was acknowledged`)
    }
  }

  #checkFlows(): void {
    for (const { key, by, number } of this.#flows) {
      if (!this.#rings.all.includes(by)) continue
      const register = this.#registers.find(each => each.key === key)!
      if (this.#isStrict && number < register.acknowledged)
        this.#violated(
          `the live stream of ${key} stands at ${number}, ${register.acknowledged} was acknowledged`
        )
    }
  }

  /** Each key is at its owner and at one other node. */
  #checkHolders(): void {
    const written = this.#registers.filter(({ put }) => put > 0).length
    const held = this.#rings.all.reduce((sum, { upring }) => sum + kvOf(upring).status.keys, 0)
    if (this.#isStrict && held !== 2 * written) this.#violated(`${written} keys are held ${held} times`)
  }

  get #well(): RingNode[] {
    return this.#rings.all.filter(node => node.upring.isReady && !this.#faulty.has(node))
  }

  #put(): void {
    const { simulation } = this.#rings
    const register = simulation.random.pick(this.#registers)
    const by = simulation.random.pick(this.#well)
    if (register.by !== null) return
    register.by = by
    const number = ++register.put
    const startedAt = simulation.now
    this.outcome.put++
    kvOf(by.upring)
      .put(register.key, { number })
      .then(
        () => {
          register.acknowledged = number
          this.outcome.acknowledged++
          this.outcome.slowestMs = Math.max(this.outcome.slowestMs, simulation.now - startedAt)
          register.by = null
        },
        () => this.#unanswered(register)
      )
  }

  /** The next put waits until this one has got wherever it gets. */
  #unanswered(register: Register): void {
    register.unsure.add(register.put)
    this.#rings.simulation.after(REST_MS, () => {
      register.by = null
    })
  }

  #get(): void {
    const { simulation } = this.#rings
    const register = simulation.random.pick(this.#registers)
    const { upring } = simulation.random.pick(this.#well)
    const { acknowledged } = register
    kvOf(upring)
      .get<Value>(register.key)
      .then(
        value => {
          this.outcome.got++
          const number = value?.number ?? 0
          if (this.#isStrict && number < acknowledged)
            this.#violated(`a get of ${register.key} found ${number} after ${acknowledged}`)
        },
        () => {}
      )
  }

  #follow(): void {
    const { random } = this.#rings.simulation
    const { key, unsure } = random.pick(this.#registers)
    const by = random.pick(this.#well)
    const store: Kv = kvOf(by.upring)
    const stream = store.liveUpdates(key, { versions: true })
    const flow: Flow = { key, by, revision: 0, number: 0, isGap: true }
    this.#flows.push(flow)
    stream.on('data', ({ version, value, missed }: KvUpdate<Value>) => {
      this.outcome.shown++
      this.outcome.missed += missed ?? 0
      if (missed !== 0) flow.isGap = true
      const revision = version?.revision ?? 0
      const number = value?.number ?? 0
      if (!flow.isGap && revision !== flow.revision + 1)
        this.#violated(`the live stream of ${key} jumps from ${flow.revision} to ${revision}`)
      if (this.#isStrict && number < flow.number)
        this.#violated(`the live stream of ${key} goes back from ${flow.number} to ${number}`)
      for (let left = flow.number + 1; left < number && !flow.isGap && this.#isStrict; left++) {
        if (!unsure.has(left)) this.#violated(`the live stream of ${key} leaves out ${left}`)
      }
      Object.assign(flow, { revision, number, isGap: false })
    })
    stream.on('error', error => {
      if (this.#rings.all.includes(by)) this.#violated(`the live stream of ${key} failed: ${error.message}`)
    })
  }

  #fault(): void {
    const { simulation } = this.#rings
    const { random } = simulation
    const kind = random.pick(this.#kinds)
    const well = this.#well
    if (kind === 'join' ? this.#rings.all.length >= NODES_MAX : well.length <= NODES_MIN) return
    if ((kind === 'crash' || kind === 'restart') && this.#isStrict && !this.#mayKill()) return
    const node = random.pick(well)
    this.outcome.faults.push(`${simulation.now.toFixed(0)} ${kind}${kind === 'join' ? '' : ` ${node.name}`}`)
    if (kind === 'join') this.#rings.add()
    else if (kind === 'leave') this.#leave(node)
    else if (kind === 'crash' || kind === 'restart') this.#kill(node, kind === 'restart')
    else if (kind === 'pause') this.#pause(node)
    else this.#partition()
  }

  /** What the last death left at one node has a copy again. */
  #mayKill(): boolean {
    if (this.#rings.simulation.now - this.#killedAt < KILL_PAUSE_MS) return false
    return this.#rings.all.every(({ upring }) => {
      if (!upring.isReady) return true
      const { arrivals, copies } = kvOf(upring).status.waiting
      return arrivals + copies === 0
    })
  }

  #kill(node: RingNode, isRestarted: boolean): void {
    this.#killedAt = this.#rings.simulation.now
    if (isRestarted) this.#rings.restart(node)
    else this.#rings.crash(node)
    for (const register of this.#registers) if (register.by === node) this.#unanswered(register)
  }

  #leave(node: RingNode): void {
    this.#faulty.add(node)
    void node.upring.close().then(() => {
      this.#rings.all.splice(this.#rings.all.indexOf(node), 1)
    })
  }

  #pause(node: RingNode): void {
    this.#faulty.add(node)
    node.host.pause()
    this.#rings.simulation.after(this.#rings.simulation.random.integer(PAUSE_MS_MAX), () => {
      node.host.resume()
      this.#faulty.delete(node)
    })
  }

  #partition(): void {
    const { simulation } = this.#rings
    const names = this.#rings.all.map(({ name }) => name)
    const side = names.filter(() => simulation.random.chance(0.5))
    simulation.partition(
      side,
      names.filter(name => !side.includes(name))
    )
    simulation.after(simulation.random.integer(PAUSE_MS_MAX), () => simulation.heal())
  }

  #violated(what: string): void {
    this.outcome.violations.push(`${this.#rings.simulation.now.toFixed(0)}: ${what}`)
  }
}
