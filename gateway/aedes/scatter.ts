// Asks all nodes of the ring, each for what it owns. The answers hold together: either every node saw the same ring, or all are
// asked again.
import type { Clock } from '../../broker/runtime/clock.ts'
import type { Upring } from '../../broker/upring/api.ts'
import type { ReceivedStreams } from '../../broker/upring/message.ts'
import type { View } from './view.ts'
import { isPassing, pause } from './waiting.ts'

/** So long nodes are asked again when they do not see the same ring, or one of them is dying. */
const TIMEOUT_MS = 20_000

export interface ScatterParts {
  upring: Upring
  clock: Clock
  view: View
}

export class Scatter {
  readonly #parts: ScatterParts

  constructor(parts: ScatterParts) {
    this.#parts = parts
  }

  /** An answer of each node. Rejects with what a node failed with, or what was in the way until the time was over. */
  async ask<Reply>(message: { cmd: string; [field: string]: unknown }): Promise<Reply[]> {
    const deadline = this.#deadline()
    for (;;) {
      try {
        return await this.#once<Reply>(message)
      } catch (error) {
        await this.#again(error, deadline)
      }
    }
  }

  /** The items of all nodes, one node after the other, those of the same key once. Fails as `ask`. */
  async *stream<Item>(
    message: { cmd: string; [field: string]: unknown },
    keyOf: (item: Item) => string
  ): AsyncGenerator<Item> {
    const deadline = this.#deadline()
    const seen = new Set<string>()
    for (;;) {
      let streams: AsyncIterable<Item>[] = []
      try {
        const replies = await this.#once<{ streams: ReceivedStreams }>(message)
        streams = replies.map(reply => reply.streams['items']! as AsyncIterable<Item>)
        for (const stream of streams)
          for await (const item of stream) {
            const key = keyOf(item)
            if (seen.has(key)) continue
            seen.add(key)
            yield item
          }
        return
      } catch (error) {
        await this.#again(error, deadline)
      } finally {
        for (const stream of streams) (stream as ReceivedStreams[string]).on('error', () => {}).destroy()
      }
    }
  }

  #deadline(): number {
    return this.#parts.clock.now() + TIMEOUT_MS
  }

  async #once<Reply>(message: { cmd: string }): Promise<Reply[]> {
    const { upring, view } = this.#parts
    const asked = { ns: 'aedes', view: view.id, ...message }
    return await Promise.all(view.nodes.map(id => upring.peerConn({ id }).request<Reply>(asked)))
  }

  async #again(error: unknown, deadline: number): Promise<void> {
    if (!isPassing(error) || this.#parts.clock.now() > deadline) throw error
    await pause(this.#parts.clock)
  }
}
