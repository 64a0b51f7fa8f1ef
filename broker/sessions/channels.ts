// The channels of a node, one a peer, and who is behind them: connections of this node whose sessions the peer hosts
// (attachments), and connections of the peer whose sessions are hosted here (ports). When a link closes, so do they.
import { ShoalError } from '../errors.ts'
import type { Link } from '../link/link.ts'
import type { TopicName } from '../message.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { Channel, type Operation } from './channel.ts'
import { integerAt, OPERATION } from './operations.ts'
import type { RemoteAttachment, RemotePort } from './remote.ts'

export interface ChannelsCluster {
  readonly clock: Clock
  readonly log: Log
  /** Null: there is none now. */
  link(nodeId: string): Link | null
}

interface Way {
  readonly channel: Channel
  /** By the number of the connection, which its gateway's node has given. */
  readonly attachments: Map<number, RemoteAttachment>
  readonly ports: Map<number, RemotePort>
}

export class Channels {
  readonly #cluster: ChannelsCluster
  readonly #topicOf: (name: string) => TopicName
  readonly #ways = new Map<string, Way>()

  constructor(cluster: ChannelsCluster, topicOf: (name: string) => TopicName) {
    this.#cluster = cluster
    this.#topicOf = topicOf
  }

  /** Throws PEER_UNKNOWN. */
  linkTo(nodeId: string): Link {
    const link = this.#cluster.link(nodeId)
    if (link === null) throw new ShoalError('PEER_UNKNOWN', { peer: nodeId })
    return link
  }

  /** The channel over the present link. Throws PEER_UNKNOWN. */
  to(nodeId: string): Channel {
    const link = this.linkTo(nodeId)
    const known = this.#ways.get(nodeId)
    if (known?.channel.link === link) return known.channel
    this.lost(nodeId)
    const channel = new Channel(link, this.#cluster.clock)
    this.#ways.set(nodeId, { channel, attachments: new Map(), ports: new Map() })
    return channel
  }

  /** Whether a channel is still the one to the node. */
  isOpen(nodeId: string, channel: Channel): boolean {
    return this.#ways.get(nodeId)?.channel === channel
  }

  addAttachment(nodeId: string, id: number, attachment: RemoteAttachment): void {
    this.#ways.get(nodeId)?.attachments.set(id, attachment)
  }

  /** Does nothing when another has the number. */
  removeAttachment(nodeId: string, id: number, attachment: RemoteAttachment): void {
    const attachments = this.#ways.get(nodeId)?.attachments
    if (attachments?.get(id) === attachment) attachments.delete(id)
  }

  addPort(port: RemotePort): void {
    this.#ways.get(port.nodeId)?.ports.set(port.id, port)
  }

  removePort(port: RemotePort): void {
    const ports = this.#ways.get(port.nodeId)?.ports
    if (ports?.get(port.id) === port) ports.delete(port.id)
  }

  /** The link to a node is up; what stood on one before is over. */
  opened(nodeId: string): void {
    const way = this.#ways.get(nodeId)
    if (way !== undefined && way.channel.link !== this.#cluster.link(nodeId)) this.lost(nodeId)
  }

  /** The link to a node is gone: its clients are away, and ours that have their sessions there must connect again. */
  lost(nodeId: string): void {
    const way = this.#ways.get(nodeId)
    if (way === undefined) return
    this.#ways.delete(nodeId)
    way.channel.close()
    for (const attachment of way.attachments.values()) attachment.lost()
    for (const port of way.ports.values()) void port.attachment?.detach(true, null)
  }

  /** `session.operations`. */
  received(nodeId: string, operations: unknown): object {
    if (!Array.isArray(operations)) throw new ShoalError('BAD_REQUEST', { expected: 'operations' })
    for (const operation of operations as Operation[]) {
      try {
        this.#receive(nodeId, operation)
      } catch (error) {
        if (!(error instanceof ShoalError)) throw error
        this.#cluster.log.warn({ peer: nodeId, error }, 'malformed operation on a session')
      }
    }
    return {}
  }

  #receive(nodeId: string, operation: Operation): void {
    const way = this.#ways.get(nodeId)
    const id = integerAt(operation, 1)
    if (integerAt(operation, 0) < OPERATION.START) {
      way?.attachments.get(id)?.receive(operation)
      return
    }
    const port = way?.ports.get(id)
    if (port?.receive(operation, this.#topicOf) === true) this.removePort(port)
  }
}
