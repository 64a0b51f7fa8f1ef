import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { after, test } from 'node:test'
import { type Link, Links, type LinksEvents } from '../../broker/link/index.ts'
import type { Address, Listener } from '../../broker/runtime/network.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import { withDeadline } from '../support/deadline.ts'
import { messageOf, Recorder } from './support.ts'

class Node extends Recorder implements LinksEvents {
  readonly runtime = nodeRuntime()
  links!: Links
  listener!: Listener
  #waiting: (() => void)[] = []

  get id(): string {
    return `${this.listener.address.host}:${this.listener.address.port}`
  }

  async start(): Promise<this> {
    const accept = (stream: Duplex, from: Address): void => this.links.accept(stream, from)
    this.listener = await this.runtime.network.listen({ host: '127.0.0.1', port: 0 }, accept)
    const self = { id: this.id, instance: randomBytes(8).toString('hex') }
    const options = { handshakeTimeoutMs: 500 }
    this.links = new Links({ runtime: this.runtime, self, ring: 'test', handlers: this, options })
    return this
  }

  async stop(): Promise<void> {
    await this.listener.close()
    await this.links.close()
  }

  /** Settles when `condition` holds; asked again whenever a link has told something. */
  until(condition: () => boolean): Promise<void> {
    const met = new Promise<void>(resolve => {
      const ask = (): void => {
        if (condition()) resolve()
        else this.#waiting.push(ask)
      }
      ask()
    })
    return withDeadline(met, String(condition))
  }

  #told(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const ask of waiting) ask()
  }

  opened(): void {
    this.#told()
  }

  refused(): void {}

  lost(): void {
    this.#told()
  }

  override publish(link: Link, message: ReturnType<typeof messageOf>): void {
    super.publish(link, message)
    this.#told()
  }

  override closed(link: Link, reason: Parameters<Recorder['closed']>[1]): void {
    super.closed(link, reason)
    this.#told()
  }
}

const nodes: Node[] = []

async function nodePair(): Promise<[Node, Node, Link]> {
  const pair: [Node, Node] = [await new Node().start(), await new Node().start()]
  nodes.push(...pair)
  const [a, b] = pair
  a.links.want(b.id)
  b.links.want(a.id)
  await a.until(() => a.links.get(b.id) !== null)
  return [a, b, a.links.get(b.id)!]
}

after(() => Promise.all(nodes.map(node => node.stop())))

test('over TCP, what is sent arrives in its order, whatever its size', async () => {
  const [a, b, link] = await nodePair()
  const topic = a.topic('t')
  const sizes = Array.from({ length: 3000 }, (_, i) => (i % 100 === 0 ? 50_000 : i % 97))
  for (const size of sizes) link.publish(messageOf(topic, Buffer.alloc(size, size), 1))
  await b.until(() => b.published.length === sizes.length)
  assert.deepEqual(
    b.published.map(message => message.payload().length),
    sizes
  )
  assert.ok(
    b.published.every(message => message.payload().every(byte => byte === message.payload().length % 256))
  )
  const { body } = await withDeadline(link.request('echo', { text: 'x'.repeat(1_000_000) }), 'a reply')
  assert.equal((body as { text: string }).text.length, 1_000_000)
})

test('over TCP, a node that stops is told from one that is gone', async () => {
  const [a, b, link] = await nodePair()
  await b.until(() => b.links.get(a.id) !== null)
  await withDeadline(a.stop(), 'a graceful stop')
  await b.until(() => b.closings.length === 1)
  assert.deepEqual(b.closings, [null])
  assert.equal(link.isClosed, true)

  const [c, d] = await nodePair()
  await d.until(() => d.links.get(c.id) !== null)
  c.links.get(d.id)!.destroy()
  await d.until(() => d.closings.length === 1)
  assert.equal(d.closings[0]?.code, 'PEER_GONE')
  await d.until(() => d.links.get(c.id) !== null)
})

test('over TCP, garbage on the cluster port closes its connection and nothing else', async () => {
  const [a, b, link] = await nodePair()
  const { host, port } = b.listener.address
  const garbage = Array.from({ length: 50 }, (_, i) => randomBytes(1 + i * 200))
  const closed = garbage.map(bytes => {
    const socket = connect(port, host)
    socket.on('error', () => {})
    socket.write(Buffer.concat([bytes, Buffer.alloc(8)]))
    socket.resume()
    return new Promise(resolve => socket.once('close', resolve))
  })
  await withDeadline(Promise.all(closed), 'all strangers dropped')
  assert.equal((await withDeadline(link.request('echo', 1), 'a reply')).body, 1)
  assert.equal(a.closings.length + b.closings.length, 0)
})
