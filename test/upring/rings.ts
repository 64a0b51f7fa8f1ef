// Uprings on the simulated network, each on a host of its own.
import assert from 'node:assert/strict'
import { type Upring, type UpringOptions, upring } from '../../broker/upring.ts'
import type { SimulatedHost } from '../simulation/host.ts'
import { Simulation } from '../simulation/simulation.ts'

export const PORT = 7979
const START_MS = 60_000

export interface RingNode {
  readonly name: string
  readonly host: SimulatedHost
  readonly upring: Upring
}

export class Rings {
  readonly simulation: Simulation
  readonly all: RingNode[] = []
  readonly #options: UpringOptions
  #made = 0

  constructor(seed: number, options: UpringOptions = {}) {
    this.simulation = new Simulation({ seed, delayMs: [0.1, 3] })
    this.#options = options
  }

  /** A ring of `count` nodes that are all up. */
  static async started(seed: number, count: number, options: UpringOptions = {}): Promise<Rings> {
    const rings = new Rings(seed, options)
    for (let i = 0; i < count; i++) await rings.join()
    return rings
  }

  at(index: number): RingNode {
    return this.all[index]!
  }

  /** A node that starts, by all that are there or by `base`. */
  add(options: UpringOptions = {}): RingNode {
    const name = `10.0.0.${++this.#made}`
    return this.#start(name, this.simulation.host(name), options)
  }

  /** The same host with a new process. */
  restart(node: RingNode, options: UpringOptions = {}): RingNode {
    this.all.splice(this.all.indexOf(node), 1)
    node.host.restart()
    return this.#start(node.name, node.host, options)
  }

  #start(name: string, host: SimulatedHost, options: UpringOptions): RingNode {
    const base = this.all.filter(node => node.host.alive).map(node => `${node.name}:${PORT}`)
    const all = { host: name, port: PORT, base, cluster: { insecure: true }, ...this.#options, ...options }
    const node = { name, host, upring: upring(all, host.runtime) }
    this.all.push(node)
    return node
  }

  /** A new node, once it is up. */
  async join(options: UpringOptions = {}): Promise<RingNode> {
    const node = this.add(options)
    await this.up(node)
    return node
  }

  async up({ upring }: RingNode): Promise<void> {
    const isUp = new Promise<void>((resolve, reject) => {
      upring.once('up', resolve)
      upring.once('error', reject)
    })
    await this.settle(isUp, START_MS)
  }

  async leave(node: RingNode): Promise<void> {
    this.all.splice(this.all.indexOf(node), 1)
    await this.settle(node.upring.close(), START_MS)
  }

  crash(node: RingNode): void {
    this.all.splice(this.all.indexOf(node), 1)
    node.host.crash()
  }

  /** Lets virtual time pass until the promise settles; rejects as it does, or if it takes longer than `withinMs`. */
  async settle<T>(promise: Promise<T>, withinMs = 30_000): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    await this.simulation.until(() => settled, withinMs)
    return await promise
  }

  /** What it rejects with. */
  async rejection(promise: Promise<unknown>, withinMs = 30_000): Promise<Error & { code?: unknown }> {
    const failed = promise.then(
      () => assert.fail('did not reject'),
      (error: Error) => error
    )
    return await this.settle(failed, withinMs)
  }

  /** Once all nodes see the same ring of all nodes that are no clients. */
  async agreed(withinMs = 30_000): Promise<void> {
    await this.simulation.until(() => {
      const ids = this.all.map(({ upring }) =>
        [...upring.peers().map(({ id }) => id), upring.mymeta().points.length > 0 ? upring.whoami() : '']
          .filter(id => id !== '')
          .sort()
          .join()
      )
      return ids.every(each => each === ids[0])
    }, withinMs)
  }

  /** The first key of the form `<prefix><number>` that the node owns. */
  keyOf({ upring }: RingNode, prefix = 'key'): string {
    for (let number = 0; number < 100_000; number++) {
      if (upring.allocatedToMe(`${prefix}${number}`)) return `${prefix}${number}`
    }
    return assert.fail(`${upring.whoami()} owns no key`)
  }

  /** Lets all events happen that are due now. */
  async now(): Promise<void> {
    await this.simulation.run(1)
  }
}
