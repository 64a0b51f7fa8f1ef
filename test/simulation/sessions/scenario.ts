// Lives of clients that roam: each keeps its session while it connects here and there, breaks off, is slow to answer, and
// nodes join, leave, crash and stand still. What was acknowledged to its publisher reaches every session that was subscribed
// then, in order, and at QoS 2 once; a session is lost only with the node that hosted it, and is begun anew.
import { Device, type Node, Nodes } from '../../broker/nodes.ts'
import { Memory, SessionConnection } from '../../broker/session-clients.ts'

export type SessionFault = 'join' | 'leave' | 'crash' | 'pause'

export const SESSION_FAULTS: readonly SessionFault[] = ['join', 'leave', 'crash', 'pause']

export interface SessionOutcome {
  readonly violations: string[]
  readonly faults: string[]
  readonly sent: number
  readonly delivered: number
  readonly sessionsLost: number
}

export interface SessionScenarioOptions {
  /** How long things happen, in ms of virtual time; after that all is quiet. */
  readonly busyMs: number
  readonly faults?: readonly SessionFault[]
}

const CLIENTS = 16
const NODES_MAX = 6
/** Silence that the `lan` preset does not take for death. */
const PAUSE_MS_MAX = 2000
const QUIET_MS = 60_000
const TOPICS = ['a/1', 'a/2', 'b/1']

/** What was published. */
interface Sent {
  readonly text: string
  readonly topic: string
  readonly publisher: string
  readonly at: number
  readonly qos: 1 | 2
  readonly device: Device
  readonly token: number
}

/** A client, from one connection to the next. */
interface Roamer {
  readonly memory: Memory
  readonly filter: string
  connection: SessionConnection | null
  /** The connection that is being made; what becomes of it on a node that has crashed is never known. */
  attempt: SessionConnection | null
  /** Its session has what was published from then on; Infinity: it has not subscribed. */
  since: number
}

export async function runSessionScenario(
  seed: number,
  options: SessionScenarioOptions
): Promise<SessionOutcome> {
  return await new Scenario(seed, options).run()
}

class Scenario {
  readonly #options: SessionScenarioOptions
  readonly #nodes: Nodes
  readonly #roamers: Roamer[] = []
  readonly #devices = new Map<Node, Device>()
  readonly #sent: Sent[] = []
  readonly #faults: string[] = []
  readonly #violations: string[] = []
  readonly #paused = new Set<Node>()
  #lost = 0
  #crashes = 0

  constructor(seed: number, options: SessionScenarioOptions) {
    this.#options = options
    this.#nodes = new Nodes(seed)
  }

  async run(): Promise<SessionOutcome> {
    const { simulation } = this.#nodes
    const { random } = simulation
    for (let i = 0; i < 3; i++) await this.#nodes.join()
    for (let i = 0; i < CLIENTS; i++) {
      const filter = random.pick([...TOPICS, 'a/+', '#'])
      const memory = new Memory(`client ${i}`)
      this.#roamers.push({ memory, filter, connection: null, attempt: null, since: Infinity })
    }
    let nextFault = simulation.now + 1000
    for (const end = simulation.now + this.#options.busyMs; simulation.now < end; ) {
      for (const roamer of this.#roamers) this.#live(roamer)
      this.#publish()
      if (simulation.now > nextFault) {
        this.#fault()
        nextFault = simulation.now + 500 + random.integer(5000)
      }
      await simulation.run(1 + random.integer(20))
    }
    await this.#settle()
    this.#check()
    const delivered = this.#roamers.reduce((sum, { memory }) => sum + memory.got.length, 0)
    const [violations, faults] = [this.#violations, this.#faults]
    return { violations, faults, sent: this.#sent.length, delivered, sessionsLost: this.#lost }
  }

  get #well(): Node[] {
    return this.#nodes.all.filter(node => node.broker.ready && !this.#paused.has(node))
  }

  #live(roamer: Roamer): void {
    const { random } = this.#nodes.simulation
    const { connection } = roamer
    if (roamer.attempt !== null) return
    if (connection === null || !connection.isOpen) {
      if (random.chance(0.1)) void this.#connect(roamer)
      return
    }
    const whim = random.integer(600)
    if (whim < 3) connection.acknowledges = !connection.acknowledges
    else if (whim < 6) connection.close(random.chance(0.5))
    else if (whim < 9) void this.#connect(roamer) // Taken over.
  }

  async #connect(roamer: Roamer): Promise<void> {
    const { simulation } = this.#nodes
    const connection = new SessionConnection(simulation.random.pick(this.#well), roamer.memory)
    roamer.attempt = connection
    try {
      await connection.connect()
      if (roamer.attempt !== connection) return
      roamer.connection = connection
      if (!connection.isPresent) await this.#beginAnew(roamer, connection)
    } catch {
      connection.close()
    } finally {
      if (roamer.attempt === connection) roamer.attempt = null
    }
  }

  async #beginAnew(roamer: Roamer, connection: SessionConnection): Promise<void> {
    if (roamer.since !== Infinity) {
      this.#lost++
      if (this.#crashes === 0)
        this.#violated(`${roamer.memory.clientId} lost its session, and no node has died`)
    }
    roamer.since = Infinity
    roamer.memory.ids.clear()
    const options = { qos: 2, noLocal: false, retainAsPublished: false, identifier: 0 } as const
    const request = { filter: roamer.filter, options, retainHandling: 0 }
    await connection.attachment!.subscribe([request], 10)
    if (connection.isOpen) roamer.since = this.#nodes.simulation.now
    // The session is there, and subscribed or not: the next connection finds out by asking again.
    else roamer.memory.isUnsure = true
  }

  #publish(): void {
    const { simulation } = this.#nodes
    const { random } = simulation
    const node = random.pick(this.#well)
    const device = this.#devices.get(node) ?? new Device(node)
    this.#devices.set(node, device)
    const qos = random.chance(0.5) ? 1 : 2
    const topic = random.pick(TOPICS)
    const text = `${this.#sent.length}`
    device.publish(topic, text, { qos })
    this.#sent.push({
      text,
      topic,
      publisher: node.name,
      at: simulation.now,
      qos,
      device,
      token: device.sent
    })
  }

  #fault(): void {
    const { random } = this.#nodes.simulation
    const kind = random.pick(this.#options.faults ?? SESSION_FAULTS)
    const well = this.#well
    if (kind === 'join') {
      if (this.#nodes.all.length >= NODES_MAX) return
      const node = this.#nodes.add()
      this.#note(`join ${node.name}`)
      void node.broker.start().catch(() => {})
      return
    }
    if (well.length < 3) return
    const node = random.pick(well)
    this.#note(`${kind} ${node.name}`)
    if (kind === 'pause') return this.#pause(node)
    this.#nodes.all.splice(this.#nodes.all.indexOf(node), 1)
    for (const roamer of this.#roamers) {
      if (roamer.connection?.node === node) roamer.connection.close()
      if (roamer.attempt?.node === node) roamer.attempt = null
    }
    if (kind === 'crash') {
      this.#crashes++
      node.host.crash()
    } else void node.broker.close()
  }

  #pause(node: Node): void {
    const { simulation } = this.#nodes
    this.#paused.add(node)
    node.host.pause()
    simulation.after(simulation.random.integer(PAUSE_MS_MAX), () => {
      node.host.resume()
      this.#paused.delete(node)
    })
  }

  /** All is quiet; everyone comes back once more, answers everything, and hears what waits. */
  async #settle(): Promise<void> {
    const { simulation } = this.#nodes
    await simulation.run(QUIET_MS)
    for (let round = 0; round < 2; round++) {
      for (const roamer of this.#roamers) {
        await simulation.until(() => roamer.attempt === null, QUIET_MS)
        await this.#nodes.settle(this.#connect(roamer), QUIET_MS)
      }
      await simulation.run(5000)
    }
  }

  #check(): void {
    for (const { memory, since, filter, connection } of this.#roamers) {
      const who = `${memory.clientId} (${filter})`
      if (connection?.isOpen !== true) this.#violated(`${who} is not connected in the end`)
      const numbers = memory.got.map(Number)
      const firsts = [...new Set(numbers)]
      const seen = new Set(numbers)
      for (const [i, number] of numbers.entries()) {
        if (this.#sent[number]!.qos === 2 && numbers.indexOf(number) !== i)
          this.#violated(`${who} got ${number} twice`)
      }
      this.#checkOrder(who, firsts)
      if (memory.isUnsure) continue
      for (const sent of this.#sent) {
        if (sent.at <= since || !isMatch(filter, sent.topic) || seen.has(Number(sent.text))) continue
        const reason = sent.device.reasons.get(sent.token)
        if (reason !== undefined && reason < 0x80)
          this.#violated(`${who} missed ${sent.text}, sent at ${sent.at}`)
      }
    }
  }

  #checkOrder(who: string, numbers: readonly number[]): void {
    const last = new Map<string, number>()
    for (const number of numbers) {
      const { publisher, topic } = this.#sent[number]!
      const stream = `${publisher} ${topic}`
      if (number < (last.get(stream) ?? -1)) this.#violated(`${who} got ${number} after ${last.get(stream)}`)
      last.set(stream, number)
    }
  }

  #note(fault: string): void {
    this.#faults.push(`${this.#nodes.simulation.now.toFixed(0)} ${fault}`)
  }

  #violated(what: string): void {
    this.#violations.push(`${this.#nodes.simulation.now.toFixed(0)}: ${what}`)
  }
}

function isMatch(filter: string, topic: string): boolean {
  return filter === '#' || filter === topic || (filter === 'a/+' && topic.startsWith('a/'))
}
