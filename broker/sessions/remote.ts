// The two ends of a connection whose session is hosted by another node: at the gateway an attachment that turns calls
// into operations, at the owner a port that does the same, and what reads them there.
import { ShoalError } from '../errors.ts'
import type { Message, TopicName } from '../message.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Attachment, LocalAttachment } from './attachment.ts'
import type { Channel, Operation } from './channel.ts'
import { bytesOf, type Delivery } from './delivery.ts'
import type { SubscribeRequest } from './hosting.ts'
import {
  deliverOperation,
  integerAt,
  listAt,
  messageAt,
  OPERATION,
  OPERATION_BYTES,
  readDelivery,
  readRequests
} from './operations.ts'
import type { SessionPort } from './session.ts'

/** The gateway of a client, as its attachment sees it. */
export interface SessionClient {
  readonly port: SessionPort
  /** The session cannot be reached any more: the client is to connect again. */
  lost(): void
}

interface Question {
  resolve(codes: unknown): void
  reject(error: ShoalError): void
}

type TopicOf = (name: string) => TopicName

export class RemoteAttachment implements Attachment {
  readonly publisher = null
  present = false
  expirySeconds = 0
  /** Called once when the connection is over. */
  whenDetached: () => void = () => {}
  /** The link to the owner is gone. */
  whenLost: () => void = () => {}
  /** The session is about to move: nothing more is to be said. */
  whenMoving: () => void = () => {}
  /** It has, or has not. */
  whenMoved: (hasMoved: boolean) => void = () => {}
  readonly #id: number
  readonly #channel: Channel
  readonly #client: SessionClient
  readonly #clock: Clock
  readonly #topicOf: TopicOf
  readonly #questions = new Map<number, Question>()
  #sequence = 0
  #isGranted = false
  #isMoving = false
  #isLost = false

  constructor(id: number, channel: Channel, client: SessionClient, clock: Clock, topicOf: TopicOf) {
    this.#id = id
    this.#channel = channel
    this.#client = client
    this.#clock = clock
    this.#topicOf = topicOf
  }

  /** The owner has attached it. */
  granted(present: boolean, expirySeconds: number): void {
    this.#isGranted = true
    this.present = present
    this.expirySeconds = expirySeconds
  }

  start(): void {
    this.#send(OPERATION.START)
  }

  acknowledged(id: number): void {
    this.#send(OPERATION.ACKNOWLEDGED, id)
  }

  pubrec(id: number, reason: number): void {
    this.#send(OPERATION.PUBREC, id, reason)
  }

  pubcomp(id: number): void {
    this.#send(OPERATION.PUBCOMP, id)
  }

  discarded(id: number): void {
    this.#send(OPERATION.DISCARDED, id)
  }

  publish(id: number, message: Message): boolean {
    const { topic, properties, retain } = message
    const payload = message.payload()
    const operation = [OPERATION.PUBLISH, this.#id, id, topic.name, payload, properties, retain]
    this.#channel.send(operation, OPERATION_BYTES + payload.length + topic.bytes.length)
    return !this.#channel.isCongested
  }

  pubrel(id: number): void {
    this.#send(OPERATION.PUBREL, id)
  }

  async subscribe(requests: readonly SubscribeRequest[], subscriptionsMax: number): Promise<number[]> {
    return (await this.#ask(OPERATION.SUBSCRIBE, requests, subscriptionsMax)) as number[]
  }

  async unsubscribe(filters: readonly string[]): Promise<boolean[]> {
    return (await this.#ask(OPERATION.UNSUBSCRIBE, filters)) as boolean[]
  }

  async detach(isAbnormal: boolean, expirySeconds: number | null): Promise<void> {
    await this.#ask(OPERATION.DETACH, isAbnormal, expirySeconds ?? -1).catch(() => {})
    this.whenDetached()
  }

  /** From the owner. Throws BAD_REQUEST, TOPIC_INVALID. */
  receive(operation: Operation): void {
    if (this.#isLost) return
    const { port } = this.#client
    if (operation[0] === OPERATION.MOVE) {
      this.#isMoving = true
      this.whenMoving()
      return this.#send(OPERATION.END)
    }
    if (operation[0] === OPERATION.MOVED) {
      this.#isMoving = false
      return this.whenMoved(operation[2] === true)
    }
    const id = integerAt(operation, 2)
    switch (operation[0]) {
      case OPERATION.DELIVER: {
        const now = this.#clock.now()
        const { delivery, dup } = readDelivery(operation, this.#topicOf, now)
        return port.publish(id, delivery, dup, now)
      }
      case OPERATION.RELEASE:
        return port.pubrel(id, integerAt(operation, 3))
      case OPERATION.RECEIVED:
        return port.pubrec(id, integerAt(operation, 3))
      case OPERATION.COMPLETE:
        return port.pubcomp(id, integerAt(operation, 3))
      case OPERATION.ANSWER: {
        const question = this.#questions.get(id)
        this.#questions.delete(id)
        if (operation[3] === null) question?.reject(new ShoalError('CLOSED'))
        else question?.resolve(listAt(operation, 3))
      }
    }
  }

  /** The link to the owner is gone. */
  lost(): void {
    if (this.#isLost) return
    this.#isLost = true
    for (const question of this.#questions.values()) question.reject(new ShoalError('CLOSED'))
    this.#questions.clear()
    // It may have arrived where it was going to.
    if (this.#isMoving) return this.whenMoved(true)
    this.whenLost()
    if (this.#isGranted) this.#client.lost()
  }

  #ask(kind: number, ...rest: unknown[]): Promise<unknown> {
    if (this.#isLost) return Promise.reject(new ShoalError('CLOSED'))
    const sequence = ++this.#sequence
    return new Promise((resolve, reject) => {
      this.#questions.set(sequence, { resolve, reject })
      this.#send(kind, sequence, ...rest)
    })
  }

  #send(kind: number, ...rest: unknown[]): void {
    if (!this.#isLost) this.#channel.send([kind, this.#id, ...rest], OPERATION_BYTES)
  }
}

export class RemotePort implements SessionPort {
  readonly inflightMax: number
  /** Set when the session is attached to this port. */
  attachment: LocalAttachment | null = null
  #whenEnded: () => void = () => {}
  /** Where the connection is, and its number there. */
  readonly nodeId: string
  readonly id: number
  readonly #channel: Channel

  constructor(nodeId: string, id: number, channel: Channel, inflightMax: number) {
    this.nodeId = nodeId
    this.id = id
    this.#channel = channel
    this.inflightMax = inflightMax
  }

  get isCongested(): boolean {
    return this.#channel.isCongested
  }

  publish(id: number, delivery: Delivery, dup: boolean, now: number): void {
    const bytes = OPERATION_BYTES + bytesOf(delivery)
    this.#channel.send(deliverOperation(this.id, id, delivery, dup, now), bytes)
  }

  pubrel(id: number, reason: number): void {
    this.#send(OPERATION.RELEASE, id, reason)
  }

  pubrec(id: number, reason: number): void {
    this.#send(OPERATION.RECEIVED, id, reason)
  }

  pubcomp(id: number, reason: number): void {
    this.#send(OPERATION.COMPLETE, id, reason)
  }

  /** Asks the gateway to say no more; settles when it has said all. */
  freeze(): Promise<void> {
    this.#send(OPERATION.MOVE)
    return new Promise(resolve => {
      this.#whenEnded = resolve
    })
  }

  /** The session has gone, or stays after all. Settles when the gateway knows. */
  thaw(hasMoved: boolean): Promise<void> {
    this.#whenEnded = () => {}
    this.#send(OPERATION.MOVED, hasMoved)
    return this.#channel.sent()
  }

  /** From the gateway. True if the connection is over. Throws BAD_REQUEST, TOPIC_INVALID. */
  receive(operation: Operation, topicOf: TopicOf): boolean {
    const { attachment } = this
    if (attachment === null) return false
    switch (operation[0]) {
      case OPERATION.END:
        this.#whenEnded()
        return false
      case OPERATION.START:
        attachment.start()
        return false
      case OPERATION.ACKNOWLEDGED:
        attachment.acknowledged(integerAt(operation, 2))
        return false
      case OPERATION.PUBREC:
        attachment.pubrec(integerAt(operation, 2), integerAt(operation, 3))
        return false
      case OPERATION.PUBCOMP:
        attachment.pubcomp(integerAt(operation, 2))
        return false
      case OPERATION.DISCARDED:
        attachment.discarded(integerAt(operation, 2))
        return false
      case OPERATION.PUBLISH:
        attachment.publish(
          integerAt(operation, 2),
          messageAt(operation, 3, 2, operation[6] === true, topicOf)
        )
        return false
      case OPERATION.PUBREL:
        attachment.pubrel(integerAt(operation, 2))
        return false
      case OPERATION.SUBSCRIBE: {
        const requests = readRequests(operation, 3)
        this.#answer(integerAt(operation, 2), attachment.subscribe(requests, integerAt(operation, 4)))
        return false
      }
      case OPERATION.UNSUBSCRIBE: {
        const filters = listAt(operation, 3).filter(filter => typeof filter === 'string')
        this.#answer(integerAt(operation, 2), attachment.unsubscribe(filters))
        return false
      }
      case OPERATION.DETACH: {
        const seconds = integerAt(operation, 4)
        const detached = attachment.detach(operation[3] === true, seconds < 0 ? null : seconds)
        this.#answer(
          integerAt(operation, 2),
          detached.then(() => [])
        )
        return true
      }
      default:
        return false
    }
  }

  #answer(sequence: number, answer: Promise<readonly unknown[]>): void {
    answer.then(
      codes => this.#send(OPERATION.ANSWER, sequence, codes),
      () => this.#send(OPERATION.ANSWER, sequence, null)
    )
  }

  #send(kind: number, ...rest: unknown[]): void {
    this.#channel.send([kind, this.id, ...rest], OPERATION_BYTES)
  }
}
