// Clients of sessions on simulated nodes: each keeps all it was sent, and answers as it is told to.
import assert from 'node:assert/strict'
import { Message, type QoS } from '../../broker/message.ts'
import type { Attachment } from '../../broker/sessions/attachment.ts'
import type { Delivery } from '../../broker/sessions/delivery.ts'
import type { ClientHolder } from '../../broker/sessions/registry.ts'
import type { SessionClient } from '../../broker/sessions/remote.ts'
import type { SessionPort } from '../../broker/sessions/session.ts'
import type { AttachRequest } from '../../broker/sessions/sessions.ts'
import type { Node, Nodes } from './nodes.ts'

/** What a client remembers from one connection to the next. */
export class Memory {
  readonly clientId: string
  /** Texts, in the order in which they came; of QoS 2 each once. */
  readonly got: string[] = []
  /** Ids of QoS 2 whose message is here. */
  readonly ids = new Set<number>()

  /** Whether its session is subscribed is not known. */
  isUnsure = false

  constructor(clientId: string) {
    this.clientId = clientId
  }
}

/** One connection, as a gateway is one. */
export class SessionConnection implements ClientHolder, SessionClient, SessionPort {
  readonly port: SessionPort = this
  readonly inflightMax = 20
  readonly isCongested = false
  readonly node: Node
  readonly memory: Memory
  /** False: nothing that comes is acknowledged. */
  acknowledges = true
  isOpen = false
  isLost = false
  attachment: Attachment | null = null
  /** PUBRECs and PUBCOMPs that came. */
  readonly received: number[] = []
  readonly completed: number[] = []
  readonly dups: string[] = []
  #detached: Promise<void> | null = null

  constructor(node: Node, memory: Memory) {
    this.node = node
    this.memory = memory
  }

  static async open(
    nodes: Nodes,
    node: Node,
    memory: Memory,
    request: Partial<AttachRequest> = {}
  ): Promise<SessionConnection> {
    const connection = new SessionConnection(node, memory)
    await nodes.settle(connection.connect(request), 60_000)
    return connection
  }

  async connect(request: Partial<AttachRequest> = {}): Promise<void> {
    const wanted = { clean: false, expirySeconds: 3600, will: null, ...request }
    const { broker } = this.node
    this.isOpen = true
    this.attachment = await broker.attach(this.memory.clientId, this, this, wanted)
    this.attachment.start()
  }

  get isPresent(): boolean {
    return this.attachment?.present === true
  }

  async subscribe(nodes: Nodes, filter: string, qos: QoS = 2): Promise<void> {
    const options = { qos, noLocal: false, retainAsPublished: false, identifier: 0 }
    const requests = [{ filter, options, retainHandling: 0 }]
    assert.deepEqual(await nodes.settle(this.attachment!.subscribe(requests, 100), 60_000), [qos])
  }

  /** Says it at QoS 2. */
  say(id: number, topic: string, text: string): void {
    const payload = Buffer.from(text)
    const { broker } = this.node
    this.attachment!.publish(id, new Message(broker.topic(topic), payload, 0, payload.length, 2, false))
  }

  /** The connection breaks, or the client leaves. */
  close(isAbnormal = true): void {
    if (!this.isOpen) return
    this.isOpen = false
    const { broker } = this.node
    const release = (): void => broker.release(this.memory.clientId, this)
    this.#detached = (this.attachment?.detach(isAbnormal, null) ?? Promise.resolve()).then(release)
  }

  takenOver(): Promise<void> {
    this.close()
    return this.#detached ?? Promise.resolve()
  }

  lost(): void {
    this.isLost = true
    this.close()
  }

  publish(id: number, { message, qos }: Delivery, dup: boolean): void {
    if (!this.isOpen) return
    const { got, ids } = this.memory
    const text = Buffer.from(message.payload()).toString()
    if (dup) this.dups.push(text)
    if (qos < 2 || !ids.has(id)) got.push(text)
    if (qos === 2) ids.add(id)
    if (!this.acknowledges) return
    if (qos === 1) this.attachment!.acknowledged(id)
    if (qos === 2) this.attachment!.pubrec(id, 0)
  }

  pubrel(id: number): void {
    if (!this.isOpen) return
    this.memory.ids.delete(id)
    if (this.acknowledges) this.attachment!.pubcomp(id)
  }

  pubrec(id: number): void {
    this.received.push(id)
    if (this.isOpen && this.acknowledges) this.attachment!.pubrel(id)
  }

  pubcomp(id: number): void {
    this.completed.push(id)
  }
}
