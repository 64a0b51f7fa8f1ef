// One simulated life of a cluster, all of it from one seed: nodes that join, leave, crash, come back and
// pause, lost packets, partitions, while clients publish and subscribe; then quiet, and the reckoning.
import { type Log, silentLog } from '../../../broker/runtime/log.ts'
import { SeededRandom } from '../random.ts'
import { type NodeUnderTest, Publisher, SimulatedBrokers } from './cluster.ts'

export interface Outcome {
  readonly seed: number
  readonly violations: string[]
  readonly sent: number
  readonly delivered: number
  readonly faults: string[]
}

export interface ScenarioOptions {
  /** Virtual ms of faults. */
  readonly busyMs: number
  /** What may happen; all by default. */
  readonly faults?: readonly Fault[]
  /** Where the nodes log; silent by default. */
  readonly log?: Log
}

export type Fault = 'crash' | 'restart' | 'leave' | 'join' | 'pause' | 'partition' | 'loss'
const ALL_FAULTS: readonly Fault[] = ['crash', 'restart', 'leave', 'join', 'pause', 'partition', 'loss']
const NODES_MAX = 7
/** Long enough for the `lan` preset's suspicion, and for a healed partition to be found. */
const QUIET_MS = 90_000
/** Silence that the `lan` preset takes for a death never ends sooner: a node silent for less misses nothing. */
const SURVIVED_MS = 2500

export async function runScenario(seed: number, options: ScenarioOptions): Promise<Outcome> {
  return await new Scenario(seed, options).run()
}

class Scenario {
  readonly #seed: number
  readonly #options: ScenarioOptions
  readonly #random: SeededRandom
  readonly #cluster: SimulatedBrokers
  readonly #publishers: Publisher[] = []
  readonly #topics = Array.from({ length: 8 }, (_, index) => `t${index % 3}/${index}`)
  readonly #faults: string[] = []
  readonly #violations: string[] = []
  #names = 0
  #partitioned = false

  constructor(seed: number, options: ScenarioOptions) {
    this.#seed = seed
    this.#options = options
    this.#random = new SeededRandom(seed)
    this.#cluster = new SimulatedBrokers(seed, options.log ?? silentLog)
  }

  async run(): Promise<Outcome> {
    await this.#start()
    const end = this.#cluster.now + this.#options.busyMs
    let nextFault = this.#cluster.now + 500 + this.#random.integer(2000)
    while (this.#cluster.now < end) {
      this.#traffic()
      if (this.#cluster.now >= nextFault) {
        this.#fault()
        nextFault = this.#cluster.now + 200 + this.#random.integer(4000)
      }
      await this.#cluster.simulation.run(1 + this.#random.integer(20))
    }
    await this.#settle()
    await this.#checkAfterQuiet()
    await this.#checkFullDelivery()
    await this.#closeAll()
    this.#violations.push(...this.#cluster.history.violations())
    const delivered = this.#cluster.history.watchers.reduce((sum, { received }) => sum + received.length, 0)
    return {
      seed: this.#seed,
      violations: this.#violations,
      sent: this.#cluster.history.sent.size,
      delivered,
      faults: this.#faults
    }
  }

  async #start(): Promise<void> {
    const count = 3 + this.#random.integer(3)
    for (let i = 0; i < count; i++) {
      const node = this.#cluster.start(this.#newName(), i > 1 && this.#random.next() < 0.15)
      await this.#cluster.simulation.until(() => node.state === 'up', 30_000)
    }
    for (let i = 0; i < 8; i++) this.#newSubscriber()
    for (let i = 0; i < 5; i++) this.#newPublisher()
    await this.#cluster.simulation.run(100)
  }

  #traffic(): void {
    for (const publisher of this.#publishers) {
      if (publisher.node.state !== 'up' || publisher.node.isPaused || this.#random.next() < 0.5) continue
      const burst = this.#random.next() < 0.1 ? 10 : 1
      for (let i = 0; i < burst; i++) {
        const count = this.#random.next() < 0.2 ? 2 + this.#random.integer(10) : 1
        publisher.publish(this.#pick(this.#topics), this.#random.next() < 0.7 ? 1 : 0, count)
      }
    }
    if (this.#random.next() < 0.02) this.#newSubscriber()
    if (this.#random.next() < 0.02) this.#newPublisher()
  }

  #fault(): void {
    const fault = this.#pick(this.#options.faults ?? ALL_FAULTS)
    const up = this.#cluster.up()
    if (fault === 'crash' && up.length > 2) this.#crash(this.#dispensable(up))
    else if (fault === 'restart') this.#restart()
    else if (fault === 'leave' && up.length > 2) this.#leave(this.#dispensable(up))
    else if (fault === 'join' && this.#cluster.nodes.size < NODES_MAX + 3 && up.length < NODES_MAX)
      this.#join()
    else if (fault === 'pause' && up.length > 2) this.#pause(this.#pick(up))
    else if (fault === 'partition' && !this.#partitioned && up.length > 2) this.#partition(up)
    else if (fault === 'loss') this.#loss()
  }

  /** Any, but never the last one that is not a gateway only. */
  #dispensable(up: readonly NodeUnderTest[]): NodeUnderTest {
    const node = this.#pick(up)
    const others = up.filter(other => !other.client && other !== node)
    return others.length > 0 ? node : up.find(({ client }) => client)!
  }

  #crash(node: NodeUnderTest): void {
    this.#note(`crash ${node.name}`)
    this.#cluster.crash(node)
    if (this.#random.next() < 0.4) this.#later(this.#random.integer(400), () => this.#changeAgain())
  }

  /** A second change while the others still deal with the first: of the owner that has just taken over, perhaps. */
  #changeAgain(): void {
    const up = this.#cluster.up()
    if (up.length <= 2) return
    const node = this.#dispensable(up)
    if (this.#random.next() < 0.5) this.#crash(node)
    else this.#leave(node)
  }

  #leave(node: NodeUnderTest): void {
    this.#note(`leave ${node.name}`)
    this.#cluster.leave(node)
  }

  #restart(): void {
    const down = [...this.#cluster.nodes.values()].filter(node => node.state === 'down')
    if (down.length === 0 || this.#cluster.up().length === 0) return
    const node = this.#pick(down)
    this.#note(`restart ${node.name}`)
    this.#populate(this.#cluster.start(node.name, node.client))
  }

  #join(): void {
    const name = this.#newName()
    this.#note(`join ${name}`)
    this.#populate(this.#cluster.start(name, this.#random.next() < 0.15))
  }

  /** A pause may be longer than the suspicion takes, so that the node is declared dead and comes back. */
  #pause(node: NodeUnderTest): void {
    const durationMs = this.#random.next() < 0.7 ? this.#random.integer(2000) : this.#random.integer(15_000)
    this.#note(`pause ${node.name} ${durationMs}`)
    if (durationMs > SURVIVED_MS) this.#cluster.doubt(node.name, this.#cluster.now + durationMs + QUIET_MS)
    node.isPaused = true
    this.#cluster.simulation.host(node.name).pause()
    this.#later(durationMs, () => {
      node.isPaused = false
      this.#cluster.simulation.host(node.name).resume()
    })
  }

  #partition(up: NodeUnderTest[]): void {
    const names = [...this.#cluster.nodes.keys()]
    const left = names.filter(() => this.#random.next() < 0.5)
    const right = names.filter(name => !left.includes(name))
    if (left.length === 0 || right.length === 0 || up.length === 0) return
    const durationMs = 500 + this.#random.integer(25_000)
    this.#note(`partition ${left} | ${right} ${durationMs}`)
    this.#partitioned = true
    for (const name of durationMs > SURVIVED_MS ? names : [])
      this.#cluster.doubt(name, this.#cluster.now + durationMs + QUIET_MS)
    this.#cluster.simulation.partition(left, right)
    this.#later(durationMs, () => {
      this.#cluster.simulation.heal()
      this.#partitioned = false
    })
  }

  #loss(): void {
    const loss = this.#random.next() * 0.1
    this.#note(`loss ${loss.toFixed(3)}`)
    this.#cluster.simulation.setLoss(loss)
    this.#later(1000 + this.#random.integer(5000), () => this.#cluster.simulation.setLoss(0))
  }

  /** All faults over, all nodes that live see the same. */
  async #settle(): Promise<void> {
    const { simulation } = this.#cluster
    simulation.setLoss(0)
    if (this.#partitioned) simulation.heal()
    for (const node of this.#cluster.nodes.values()) {
      node.isPaused = false
      simulation.host(node.name).resume()
    }
    await simulation.run(QUIET_MS)
  }

  async #checkAfterQuiet(): Promise<void> {
    const up = this.#cluster.up()
    for (const node of this.#cluster.nodes.values()) {
      if (node.state === 'starting' || node.state === 'leaving')
        this.#violations.push(`${node.name} is still ${node.state}`)
    }
    const digests = new Set(up.map(({ broker }) => broker.status().ring.digest))
    if (digests.size !== 1) this.#violations.push(`ring views differ: ${[...digests]}`)
    for (const { name, broker } of up) {
      const { ring, members, waiting } = broker.status()
      if (!ring.agreed) this.#violations.push(`${name} does not see agreement`)
      if (members.length !== up.length)
        this.#violations.push(`${name} sees ${members.length} members of ${up.length}`)
      for (const [what, count] of Object.entries(waiting)) {
        if (count !== 0) this.#violations.push(`${name} has ${count} ${what} waiting`)
      }
    }
    for (const topic of this.#topics) {
      const owners = new Set(up.map(({ broker }) => broker.ownerOf(topic)))
      if (owners.size !== 1) this.#violations.push(`${topic} has owners ${[...owners]}`)
    }
  }

  /** After quiet every subscription works, whatever happened before. */
  async #checkFullDelivery(): Promise<void> {
    const doubts = this.#cluster.history.doubts
    for (const doubt of doubts) doubt.until = Math.min(doubt.until, this.#cluster.now - 1)
    for (const node of this.#cluster.up()) {
      const publisher = new Publisher(`last-${node.name}`, node, this.#cluster)
      for (const topic of this.#topics) publisher.publish(topic, 1)
    }
    await this.#cluster.simulation.run(5000)
    for (const sent of this.#cluster.history.sent.values()) {
      if (sent.publisher.startsWith('last-') && sent.ackedAt === -1)
        this.#violations.push(`${sent.name} was never acknowledged`)
    }
  }

  async #closeAll(): Promise<void> {
    const { simulation } = this.#cluster
    for (const node of this.#cluster.up()) this.#cluster.leave(node)
    await simulation.run(30_000)
    for (const node of this.#cluster.nodes.values()) {
      const host = simulation.host(node.name)
      if (node.state !== 'down') this.#violations.push(`${node.name} did not close`)
      if (host.openTimers > 0) this.#violations.push(`${node.name} left ${host.openTimers} timers`)
      if (host.openSockets > 0) this.#violations.push(`${node.name} left ${host.openSockets} sockets`)
    }
  }

  #populate(node: NodeUnderTest): void {
    this.#later(3000, () => {
      if (node.state !== 'up' || node.isPaused) return
      for (let i = 0; i < 2; i++) this.#cluster.subscribe(node, this.#filter(), 1)
      this.#publishers.push(new Publisher(`p${this.#publishers.length}`, node, this.#cluster))
    })
  }

  #newSubscriber(): void {
    const up = this.#cluster.up()
    if (up.length > 0) this.#cluster.subscribe(this.#pick(up), this.#filter(), 1)
  }

  #newPublisher(): void {
    const up = this.#cluster.up()
    if (up.length > 0)
      this.#publishers.push(new Publisher(`p${this.#publishers.length}`, this.#pick(up), this.#cluster))
  }

  #filter(): string {
    const topic = this.#pick(this.#topics)
    const kind = this.#random.next()
    if (kind < 0.6) return topic
    return kind < 0.85 ? `${topic.split('/')[0]}/+` : '#'
  }

  #later(delayMs: number, run: () => void): void {
    this.#cluster.simulation.after(delayMs, run)
  }

  #newName(): string {
    return `10.0.0.${++this.#names}`
  }

  #note(fault: string): void {
    this.#faults.push(`${Math.round(this.#cluster.now)} ${fault}`)
  }

  #pick<T>(of: readonly T[]): T {
    return of[this.#random.integer(of.length)]!
  }
}
