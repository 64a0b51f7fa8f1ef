// A thousand members of nothing but SWIM in one process, on one virtual clock. Lighter than Simulation: no
// sockets, no state for each pair, and no turn of Node's loop for an event that settles no promise.
import { silentLog } from '../../../broker/runtime/log.ts'
import { encodeState } from '../../../broker/swim/codec.ts'
import type { SwimConfig } from '../../../broker/swim/config.ts'
import type { Change, Member } from '../../../broker/swim/member.ts'
import { checksumSeal } from '../../../broker/swim/seal.ts'
import { Swim } from '../../../broker/swim/swim.ts'
import { SimulatedClock } from '../clock.ts'
import { SimulatedProcess } from '../process.ts'
import { SeededRandom } from '../random.ts'
import { Timeline } from '../timeline.ts'
import { LossyNetwork, Port } from './network.ts'

const PORT = 7979
/** As broker/cluster.ts has them. */
const PING_TIMEOUT_MS = 1000
const SYNC_TIMEOUT_MS = 5000
/** What a broker's node tells of itself. */
const META = { phase: 'serving', client: false, ring: 'shoal' }
/** How often a condition is looked at. */
const LOOK_MS = 10

export interface CohortOptions {
  seed: number | string
  members: number
  config: SwimConfig
  /** Wall clocks differ by up to so much, either way. Default 0. */
  clocksApartMs?: number
}

export class Host {
  readonly name: string
  readonly id: string
  swim!: Swim
  port!: Port
  /** Rises at each start. */
  generation = 0

  constructor(name: string) {
    this.name = name
    this.id = `${name}:${PORT}`
  }

  get process(): SimulatedProcess {
    return this.port.process
  }
}

export class Cohort {
  readonly hosts: Host[] = []
  /** Luck for the experiment: whom to crash, and when. */
  readonly random: SeededRandom
  readonly network: LossyNetwork
  /** While false, the reliable way carries only push-pulls: datagrams alone tell who lives. */
  streamPing = true
  /** Told of all that members are told, by whom. */
  onTold: (by: Host, member: Member, change: Change) => void = () => {}
  readonly #timeline = new Timeline()
  readonly #byName = new Map<string, Host>()
  readonly #root: SeededRandom
  readonly #options: CohortOptions
  #settled = false
  #events = 0

  /** Members that are started, and know nobody. */
  constructor(options: CohortOptions) {
    this.#options = options
    this.#root = new SeededRandom(options.seed)
    this.random = this.#root.fork('experiment')
    this.network = new LossyNetwork(this.#timeline, this.#root.fork('network'), () => {
      this.#settled = true
    })
    for (let i = 0; i < options.members; i++) {
      const host = new Host(`10.0.${i >>> 8}.${i & 255}`)
      this.hosts.push(host)
      this.#byName.set(host.name, host)
      this.start(host)
    }
  }

  /** Members that know each other, and have nothing left to tell. */
  static async formed(options: CohortOptions): Promise<Cohort> {
    const cohort = new Cohort(options)
    const [first, ...others] = cohort.hosts
    const news = cohort.hosts.map(({ swim }) => ({ ...swim.self, accuser: '' }))
    const state = checksumSeal.seal(encodeState(0, { sender: first!.id, news }))
    first!.swim.receivePushPull(state)
    for (const host of others) host.swim.receivePushPull(state)
    await cohort.run(20 * options.config.probeIntervalMs)
    return cohort
  }

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.#timeline.now
  }

  get events(): number {
    return this.#events
  }

  /** Hosts whose process lives. */
  get living(): Host[] {
    return this.hosts.filter(host => host.process.alive)
  }

  /** Starts a process on a host that has none, or none any more. It knows nobody. */
  start(host: Host): void {
    const generation = host.generation++
    const { config, clocksApartMs = 0 } = this.#options
    const process = new SimulatedProcess(host.name, this.#timeline)
    const random = this.#root.fork(`${host.name}/${generation}`)
    const wallSkewMs = (2 * random.next() - 1) * clocksApartMs
    const port = new Port(process)
    host.port = port
    const swim: Swim = new Swim({
      id: host.id,
      instance: Buffer.from(random.bytes(8)).toString('hex'),
      meta: META,
      runtime: {
        clock: new SimulatedClock(process, this.#timeline, () => wallSkewMs),
        random,
        log: silentLog
      },
      config,
      send: (packet, to) => {
        const target = this.#byName.get(to.host)
        if (target === undefined) return
        const { swim: receiver } = target
        this.network.datagram(port, target.port, packet, each =>
          receiver.receive(each, { host: host.name, port: PORT })
        )
      },
      transport: {
        ping: async id => {
          if (!this.streamPing) throw new Error('no streams')
          await this.#ask(port, id, new Uint8Array(0), PING_TIMEOUT_MS, () => new Uint8Array(0))
        },
        pushPull: (address, state) =>
          this.#ask(port, address, state, SYNC_TIMEOUT_MS, (receiver, question) =>
            receiver.receivePushPull(question)
          )
      },
      onChange: (member, change) => this.onTold(host, member, change)
    })
    host.swim = swim
    swim.start()
  }

  /** The loss of a host: silence, and nobody is told. */
  crash(host: Host): void {
    host.process.kill()
  }

  /** Calls `run` once, after so much virtual time, whatever happens to the hosts. */
  after(delayMs: number, run: () => void): void {
    this.#timeline.at(this.#timeline.now + delayMs, '', 'experiment', run)
  }

  /** Lets `ms` of virtual time pass. */
  async run(ms: number): Promise<void> {
    const until = this.#timeline.now + ms
    for (;;) {
      const event = this.#timeline.take(until)
      if (event === null) break
      this.#events++
      event.run()
      if (!this.#settled) continue
      this.#settled = false
      await new Promise(resolve => setImmediate(resolve))
    }
    this.#timeline.rest(until)
  }

  /** Runs until the condition holds, which is looked at every 10 ms of virtual time; false if it does not within that time. */
  async until(condition: () => boolean, withinMs: number): Promise<boolean> {
    const end = this.now + withinMs
    while (!condition()) {
      if (this.now >= end) return false
      await this.run(LOOK_MS)
    }
    return true
  }

  /** Whether all living members see all living members, and nobody else. */
  agreed(): boolean {
    const living = this.living
    const first = living[0]?.swim.digest
    return living.every(({ swim }) => swim.size === living.length && swim.digest === first)
  }

  #ask(
    from: Port,
    address: string,
    question: Uint8Array,
    timeoutMs: number,
    answer: (receiver: Swim, question: Uint8Array) => Uint8Array
  ): Promise<Uint8Array> {
    const host = this.#byName.get(address.slice(0, address.lastIndexOf(':')))
    if (host === undefined) return Promise.reject(new Error(`no host ${address}`))
    return this.network.ask(from, host.port, question, timeoutMs, bytes => answer(host.swim, bytes))
  }
}
