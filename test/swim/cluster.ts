// A cluster of nothing but SWIM on the simulated network: datagrams as they are, and the reliable way as
// a stream for each question. It keeps what happened, so that a test can ask for it.
//
//   question   kind u8: 0 ping, 1 push-pull │ length u32 │ state         answer   length u32 │ state
import type { Duplex } from 'node:stream'
import type { Address } from '../../broker/runtime/network.ts'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { type SwimConfig, swimPresets } from '../../broker/swim/config.ts'
import type { SwimTransport } from '../../broker/swim/context.ts'
import { type Change, type Member, parseId } from '../../broker/swim/member.ts'
import type { Meta } from '../../broker/swim/meta.ts'
import { Swim, type SwimOptions } from '../../broker/swim/swim.ts'
import type { SimulatedHost } from '../simulation/host.ts'
import { Simulation, type SimulationOptions } from '../simulation/simulation.ts'

export const PORT = 7979
const STREAM_TIMEOUT_MS = 1000

/** Something a node was told. */
export interface Told {
  readonly at: number
  readonly by: string
  readonly about: string
  readonly change: Change
  readonly member: Member
}

export interface ClusterOptions {
  simulation: SimulationOptions
  nodes: number
  config?: SwimConfig
  /** Without it, `ping` always fails: only datagrams tell who lives. */
  streamPing?: boolean
  /** How the process of that instance seals, on the host of that name; by default without keys. */
  seals?: (instance: string, name: string) => Pick<SwimOptions, 'seal' | 'stateSeal'>
  /** Datagrams for which this is true are lost. */
  lose?: (from: string, to: string, packet: Uint8Array) => boolean
}

export class Node {
  readonly name: string
  readonly host: SimulatedHost
  swim: Swim
  /** Rises at each restart. */
  generation = 0

  constructor(name: string, host: SimulatedHost, swim: Swim) {
    this.name = name
    this.host = host
    this.swim = swim
  }

  get id(): string {
    return `${this.name}:${PORT}`
  }

  /** The ids of the live members in its view, sorted. */
  view(): string[] {
    return this.swim
      .members()
      .map(member => member.id)
      .sort()
  }
}

export class Cluster {
  readonly simulation: Simulation
  readonly nodes: Node[] = []
  readonly told: Told[] = []
  /** While false, the reliable way is shut: datagrams alone have to do. */
  streams = true
  readonly #options: ClusterOptions
  readonly #config: SwimConfig

  private constructor(options: ClusterOptions) {
    this.#options = options
    this.#config = options.config ?? swimPresets.lan
    this.simulation = new Simulation(options.simulation)
  }

  /** Nodes that run, and know nobody. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options)
    for (let i = 0; i < options.nodes; i++) await cluster.add({ number: i })
    return cluster
  }

  /** Nodes that run, have all joined by the first, and know each other. Nothing is told yet. */
  static async formed(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.start(options)
    for (const node of cluster.nodes) void node.swim.join([cluster.nodes[0]!.id])
    await cluster.agreement(20_000)
    await cluster.simulation.run(3000)
    cluster.told.length = 0
    return cluster
  }

  get now(): number {
    return this.simulation.now
  }

  node(index: number): Node {
    return this.nodes[index]!
  }

  async add(meta: Meta): Promise<Node> {
    const name = `10.0.${this.nodes.length >>> 8}.${this.nodes.length & 255}`
    const host = this.simulation.host(name)
    const node = new Node(name, host, await this.settled(this.#process(name, host.runtime, 0, meta)))
    this.nodes.push(node)
    node.swim.start()
    return node
  }

  /** A new process, which knows nobody, in the place of one that crashed. */
  async restart(node: Node, meta: Meta): Promise<void> {
    const runtime = node.host.restart()
    node.generation++
    node.swim = await this.settled(this.#process(node.name, runtime, node.generation, meta))
    node.swim.start()
  }

  /** Waits until each of `nodes` sees exactly these, in the same state of metadata. */
  async agreement(withinMs: number, nodes: readonly Node[] = this.nodes): Promise<void> {
    const ids = nodes
      .map(node => node.id)
      .sort()
      .join()
    await this.simulation.until(
      () => nodes.every(node => node.view().join() === ids && node.swim.digest === nodes[0]!.swim.digest),
      withinMs
    )
  }

  /** Lets time pass until a promise settles. */
  async settled<T>(promise: Promise<T>, withinMs = 30_000): Promise<T> {
    let over = false
    const end = (): void => {
      over = true
    }
    promise.then(end, end)
    await this.simulation.until(() => over, withinMs)
    return promise
  }

  /** What was told since the start, or since `told` was emptied; of one kind if `change` is given. */
  changes(change: Change, about?: Node): Told[] {
    return this.told.filter(
      each => each.change === change && (about === undefined || each.about === about.id)
    )
  }

  async #process(name: string, runtime: Runtime, generation: number, meta: Meta): Promise<Swim> {
    const id = `${name}:${PORT}`
    const at = { host: name, port: PORT }
    const { network, clock } = runtime
    const socket = await network.datagram(at, (packet, from) => swim.receive(packet, from))
    await network.listen(at, stream => answer(stream, () => swim))
    const send = (packet: Uint8Array, to: Address): void => {
      if (!this.#options.lose?.(name, to.host, packet)) socket.send(packet, to)
    }
    const onChange = (member: Member, change: Change): void => {
      this.told.push({ at: clock.now(), by: id, about: member.id, change, member })
    }
    const instance = Buffer.from(runtime.random.bytes(8)).toString('hex')
    const transport = this.#transport(runtime)
    const swim: Swim = new Swim({
      id,
      instance,
      meta: { ...meta, generation },
      runtime,
      send,
      transport,
      config: this.#config,
      ...this.#options.seals?.(instance, name),
      onChange
    })
    return swim
  }

  #transport(runtime: Runtime): SwimTransport {
    const { streamPing = true } = this.#options
    return {
      ping: async memberId => {
        if (!this.streams || !streamPing) throw new Error('no streams')
        await ask(runtime, memberId, 0, new Uint8Array(0))
      },
      pushPull: async (address, state) => {
        if (!this.streams) throw new Error('no streams')
        return ask(runtime, address, 1, state)
      }
    }
  }
}

async function ask(runtime: Runtime, address: string, kind: number, state: Uint8Array): Promise<Uint8Array> {
  const stream = await runtime.network.connect(parseId(address)!, STREAM_TIMEOUT_MS)
  const question = Buffer.alloc(5 + state.length)
  question.writeUInt8(kind)
  question.writeUInt32BE(state.length, 1)
  question.set(state, 5)
  return new Promise((resolve, reject) => {
    readSized(stream, 0, bytes => {
      stream.destroy()
      resolve(bytes)
    })
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('closed')))
    stream.write(question)
  })
}

function answer(stream: Duplex, swim: () => Swim): void {
  stream.on('error', () => {})
  readSized(stream, 1, (state, kind) => {
    let reply: Uint8Array
    try {
      reply = kind === 0 ? new Uint8Array(0) : swim().receivePushPull(state)
    } catch {
      stream.destroy()
      return
    }
    const sized = Buffer.alloc(4 + reply.length)
    sized.writeUInt32BE(reply.length)
    sized.set(reply, 4)
    stream.end(sized)
  })
}

/** Reads `prefix` bytes (0 or 1), a length, and as many bytes; once. */
function readSized(stream: Duplex, prefix: 0 | 1, done: (bytes: Uint8Array, kind: number) => void): void {
  let read = Buffer.alloc(0)
  let over = false
  stream.on('data', (chunk: Uint8Array) => {
    read = Buffer.concat([read, chunk])
    const start = prefix + 4
    if (over || read.length < start || read.length < start + read.readUInt32BE(prefix)) return
    over = true
    done(read.subarray(start, start + read.readUInt32BE(prefix)), prefix === 1 ? read[0]! : 0)
  })
}
