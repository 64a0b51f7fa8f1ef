// A ring with faults, from a seed: nodes join, leave, crash, stand still and are cut off while keys are asked for and streams
// flow. Every request with a deadline settles, once and in time; who handles one owns its key; what waits for a dead
// node is told; and when all is quiet, everyone sees the same ring, and each key is answered by its one owner.
import { Readable } from 'node:stream'
import type { ReceivedStreams } from '../../../broker/upring.ts'
import { type RingNode, Rings } from '../../upring/rings.ts'

export type RingFault = 'join' | 'leave' | 'crash' | 'pause' | 'cut' | 'partition' | 'loss'

export const RING_FAULTS: readonly RingFault[] = [
  'join',
  'leave',
  'crash',
  'pause',
  'cut',
  'partition',
  'loss'
]

export interface RingScenarioOptions {
  /** How long things happen, in ms of virtual time; after that all is quiet. */
  busyMs: number
  faults?: readonly RingFault[]
}

export interface RingOutcome {
  readonly violations: string[]
  readonly faults: string[]
  readonly asked: number
  readonly answered: number
}

const DEADLINE_MS = 4000
/** The clock of a process that stands still stands still for its deadlines too. */
const LATE_MS = 100
const TICK_MS = 100
const KEYS = 1000
const NODES_MIN = 3
const NODES_MAX = 7
const FAULT_MS_MAX = 15_000
const QUIET_MS = 120_000

interface Asked {
  readonly by: RingNode
  readonly at: number
  settled: number
  lateMs: number
}

interface Flow {
  readonly by: RingNode
  reader: Readable | null
  writer: Readable | null
  owner: RingNode | null
}

export async function runRingScenario(seed: number, options: RingScenarioOptions): Promise<RingOutcome> {
  const scenario = new Scenario(seed, options.faults ?? RING_FAULTS)
  await scenario.start()
  await scenario.run(options.busyMs)
  await scenario.check()
  return scenario.outcome
}

class Scenario {
  readonly outcome = { violations: [] as string[], faults: [] as string[], asked: 0, answered: 0 }
  readonly #rings: Rings
  readonly #kinds: readonly RingFault[]
  readonly #asked: Asked[] = []
  readonly #flows: Flow[] = []
  readonly #gone = new Set<RingNode>()
  /** Paused, cut off or leaving. */
  readonly #faulty = new Set<RingNode>()
  /** Were faulty: what they asked may be late. */
  readonly #slow = new Set<RingNode>()

  constructor(seed: number, kinds: readonly RingFault[]) {
    this.#rings = new Rings(seed)
    this.#kinds = kinds
  }

  async start(): Promise<void> {
    for (let i = 0; i < NODES_MIN + 1; i++) this.#serve(await this.#rings.join())
  }

  async run(busyMs: number): Promise<void> {
    const { simulation } = this.#rings
    const { random } = simulation
    for (const end = simulation.now + busyMs; simulation.now < end; ) {
      for (let i = 0; i < 4; i++) this.#ask()
      if (random.chance(0.3)) this.#flow()
      if (random.chance(0.1)) this.#fault()
      await simulation.run(TICK_MS)
    }
  }

  async check(): Promise<void> {
    const rings = this.#rings
    const { simulation } = rings
    simulation.setLoss(0)
    await simulation.run(FAULT_MS_MAX + DEADLINE_MS)
    await simulation.until(() => rings.all.every(({ upring }) => upring.isReady), QUIET_MS)
    await rings.agreed(QUIET_MS)
    this.#checkRequests()
    this.#checkFlows()
    await this.#checkOwners()
  }

  #checkRequests(): void {
    for (const { by, settled, lateMs } of this.#asked) {
      if (this.#gone.has(by)) continue
      if (settled !== 1) this.#violated(`a request settled ${settled} times`)
      if (lateMs > LATE_MS && !this.#slow.has(by))
        this.#violated(`a request settled ${lateMs} ms after its deadline`)
    }
  }

  #checkFlows(): void {
    for (const { by, owner, reader, writer } of this.#flows) {
      if (owner === null || by === owner) continue
      const [reads, writes] = [!this.#gone.has(by), !this.#gone.has(owner)]
      if (reads && !writes && reader?.destroyed === false)
        this.#violated('a reader waits for a node that is gone')
      if (writes && !reads && writer?.destroyed === false)
        this.#violated('a writer waits for a node that is gone')
    }
  }

  async #checkOwners(): Promise<void> {
    const rings = this.#rings
    for (let i = 0; i < 20; i++) {
      const key = `key${i}`
      const owners = rings.all.filter(({ upring }) => upring.allocatedToMe(key))
      if (owners.length !== 1) this.#violated(`${key} has ${owners.length} owners`)
      const replies = rings.all.map(({ upring }) => upring.request({ cmd: 'ask', key }))
      for (const reply of await rings.settle(Promise.all(replies))) {
        if (reply['id'] !== owners[0]?.upring.whoami())
          this.#violated(`${key} was answered by ${reply['id']}`)
      }
    }
  }

  #serve(node: RingNode): void {
    const { upring } = node
    upring.on('error', () => {})
    upring.add('cmd:ask', async request => {
      if (!upring.allocatedToMe(request.key!)) this.#violated(`${upring.whoami()} handled a key of another`)
      return { id: upring.whoami() }
    })
    upring.add('cmd:flow', async request => {
      const flow = this.#flows[Number(request['flow'])]!
      const writer = sourceOf(node)
      flow.writer = writer
      flow.owner = node
      return { streams: { flow: writer } }
    })
  }

  /** Up, and without a fault now. */
  get #well(): RingNode[] {
    return this.#rings.all.filter(node => node.upring.isReady && !this.#faulty.has(node))
  }

  #ask(): void {
    const { simulation } = this.#rings
    const by = simulation.random.pick(this.#well)
    const asked: Asked = { by, at: simulation.now, settled: 0, lateMs: 0 }
    this.#asked.push(asked)
    this.outcome.asked++
    const settled = (): void => {
      asked.settled++
      asked.lateMs = simulation.now - asked.at - DEADLINE_MS
    }
    const request = { cmd: 'ask', key: `key${simulation.random.integer(KEYS)}` }
    by.upring.request(request, { timeoutMs: DEADLINE_MS }).then(() => {
      this.outcome.answered++
      settled()
    }, settled)
  }

  #flow(): void {
    const by = this.#rings.simulation.random.pick(this.#well)
    const flow: Flow = { by, reader: null, writer: null, owner: null }
    const number = this.#flows.push(flow) - 1
    const request = { cmd: 'flow', key: `flow${number}`, flow: number }
    by.upring.request<{ streams: ReceivedStreams }>(request).then(
      ({ streams }) => {
        flow.reader = streams['flow']!.on('error', () => {}).resume()
      },
      () => {}
    )
  }

  #fault(): void {
    const { simulation } = this.#rings
    const { random } = simulation
    const kind = random.pick(this.#kinds)
    const well = this.#well
    if (kind === 'join' ? this.#rings.all.length >= NODES_MAX : well.length <= NODES_MIN) return
    const node = random.pick(well)
    this.outcome.faults.push(`${simulation.now.toFixed(0)} ${kind}${kind === 'join' ? '' : ` ${node.name}`}`)
    if (kind === 'join') this.#serve(this.#rings.add())
    else if (kind === 'leave') this.#leave(node)
    else if (kind === 'crash') {
      this.#gone.add(node)
      this.#rings.crash(node)
    } else if (kind === 'loss') simulation.setLoss(random.chance(0.5) ? 0 : 0.1)
    else if (kind === 'partition') this.#partition()
    else this.#suspend(node, kind)
  }

  /** In two, by chance. Both sides go on, each with owners for all keys. */
  #partition(): void {
    const { simulation } = this.#rings
    const names = this.#rings.all.map(({ name }) => name)
    const side = names.filter(() => simulation.random.chance(0.5))
    simulation.partition(
      side,
      names.filter(name => !side.includes(name))
    )
    simulation.after(simulation.random.integer(FAULT_MS_MAX), () => simulation.heal())
  }

  #leave(node: RingNode): void {
    this.#faulty.add(node)
    void node.upring.close().then(() => {
      this.#gone.add(node)
      this.#rings.all.splice(this.#rings.all.indexOf(node), 1)
    })
  }

  #suspend(node: RingNode, kind: 'pause' | 'cut'): void {
    const { simulation } = this.#rings
    this.#faulty.add(node)
    if (kind === 'pause') this.#slow.add(node)
    if (kind === 'pause') node.host.pause()
    else node.host.cut()
    simulation.after(simulation.random.integer(FAULT_MS_MAX), () => {
      if (kind === 'pause') node.host.resume()
      else node.host.uncut()
      this.#faulty.delete(node)
    })
  }

  #violated(what: string): void {
    this.outcome.violations.push(`${this.#rings.simulation.now.toFixed(0)}: ${what}`)
  }
}

/** Numbers without end, one every few ms of its node's clock. */
function sourceOf({ host }: RingNode): Readable {
  const { clock } = host.runtime
  let count = 0
  const source = new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      clock.after(20, () => source.push({ number: count++ }))
    }
  })
  return source.on('error', () => {})
}
