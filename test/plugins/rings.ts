// Simulated rings whose nodes all have a plugin.
import type { RecordsStatus } from '../../broker/plugins/records/records.ts'
import type { UpringOptions } from '../../broker/upring.ts'
import { type RingNode, Rings } from '../upring/rings.ts'

/** Nodes that are added later have it too. */
export async function ringOfPlugin(
  seed: number,
  count: number,
  use: (node: RingNode) => void,
  options: UpringOptions = {}
): Promise<Rings> {
  const rings = new PluginRings(seed, use, options)
  for (let i = 0; i < count; i++) await rings.join()
  return rings
}

class PluginRings extends Rings {
  readonly #use: (node: RingNode) => void

  constructor(seed: number, use: (node: RingNode) => void, options: UpringOptions) {
    super(seed, options)
    this.#use = use
  }

  override add(options: UpringOptions = {}): RingNode {
    const node = super.add(options)
    this.#use(node)
    return node
  }

  override restart(node: RingNode, options: UpringOptions = {}): RingNode {
    const restarted = super.restart(node, options)
    this.#use(restarted)
    return restarted
  }
}

export function isSettled({ waiting }: RecordsStatus): boolean {
  return waiting.arrivals === 0 && waiting.copies === 0 && waiting.strays === 0
}

/** Once no node has had anything on its way for a while. */
export async function allSettled(rings: Rings, status: (node: RingNode) => RecordsStatus): Promise<void> {
  for (let still = 0; still < 3; ) {
    await rings.simulation.run(1100)
    still = rings.all.every(node => isSettled(status(node))) ? still + 1 : 0
  }
}
