// What crosses a channel: each operation an array, [kind, connection, …]. Those of the gateway are the calls of an
// Attachment, those of the owner the calls of a SessionPort. What comes from a peer is checked as it is read.
import { ShoalError } from '../errors.ts'
import { Message, type QoS, type TopicName } from '../message.ts'
import type { SubscriptionOptions } from '../topics/subscription.ts'
import type { Operation } from './channel.ts'
import type { Delivery } from './delivery.ts'
import type { SubscribeRequest } from './hosting.ts'

export const OPERATION = {
  // From the owner.
  DELIVER: 0, // id, flags, topic, payload, properties, identifiers, ms left or -1
  RELEASE: 1, // id, reason
  RECEIVED: 2, // id, reason
  COMPLETE: 3, // id, reason
  ANSWER: 4, // sequence, codes; null: it failed
  MOVE: 5, // the session is about to move: say no more, but END
  MOVED: 6, // whether it has; then it is to be attached again
  // From the gateway.
  START: 16,
  ACKNOWLEDGED: 17, // id
  PUBREC: 18, // id, reason
  PUBCOMP: 19, // id
  DISCARDED: 20, // id
  PUBLISH: 21, // id, topic, payload, properties, retain
  PUBREL: 22, // id
  SUBSCRIBE: 23, // sequence, requests, subscriptions at most
  UNSUBSCRIBE: 24, // sequence, filters
  DETACH: 25, // sequence, is abnormal, seconds or -1
  END: 26
} as const

/** About what an operation takes besides its payload. */
export const OPERATION_BYTES = 32

const RETAIN = 4
const DUP = 8

export function deliverOperation(
  connection: number,
  id: number,
  delivery: Delivery,
  dup: boolean,
  now: number
): Operation {
  const { message, qos, retain, identifiers, expiresAt } = delivery
  const flags = qos | (retain ? RETAIN : 0) | (dup ? DUP : 0)
  const leftMs = expiresAt === Infinity ? -1 : Math.max(0, Math.ceil(expiresAt - now))
  const { topic, properties } = message
  return [
    OPERATION.DELIVER,
    connection,
    id,
    flags,
    topic.name,
    message.payload(),
    properties,
    identifiers,
    leftMs
  ]
}

export interface Delivered {
  readonly id: number
  readonly delivery: Delivery
  readonly dup: boolean
}

export function readDelivery(
  operation: Operation,
  topicOf: (name: string) => TopicName,
  now: number
): Delivered {
  const flags = integerAt(operation, 3)
  const qos = qosOf(flags & 3)
  const retain = (flags & RETAIN) !== 0
  const message = messageAt(operation, 4, qos, retain, topicOf)
  const leftMs = integerAt(operation, 8)
  const identifiers = listAt(operation, 7).map(each => (Number.isSafeInteger(each) ? (each as number) : 0))
  const expiresAt = leftMs < 0 ? Infinity : now + leftMs
  return {
    id: integerAt(operation, 2),
    delivery: { message, qos, retain, identifiers, expiresAt },
    dup: (flags & DUP) !== 0
  }
}

/** Topic, payload and properties from place `at` on. */
export function messageAt(
  operation: Operation,
  at: number,
  qos: QoS,
  retain: boolean,
  topicOf: (name: string) => TopicName
): Message {
  const payload = operation[at + 1]
  const properties = operation[at + 2]
  if (!(payload instanceof Uint8Array)) throw malformed('a payload')
  const message = new Message(topicOf(textAt(operation, at)), payload, 0, payload.length, qos, retain)
  message.properties = properties instanceof Uint8Array ? properties : null
  return message
}

export function readRequests(operation: Operation, at: number): SubscribeRequest[] {
  return listAt(operation, at).map(each => {
    const { filter, options, retainHandling } = each as Record<string, unknown>
    if (typeof filter !== 'string' || typeof retainHandling !== 'number') throw malformed('a subscription')
    return { filter, retainHandling, options: readOptions(options) }
  })
}

export function readOptions(value: unknown): SubscriptionOptions {
  const { qos, noLocal, retainAsPublished, identifier } = (value ?? {}) as Record<string, unknown>
  if (!Number.isSafeInteger(qos) || !Number.isSafeInteger(identifier)) throw malformed('options')
  return {
    qos: qosOf(qos as number),
    noLocal: noLocal === true,
    retainAsPublished: retainAsPublished === true,
    identifier: identifier as number
  }
}

export function integerAt(operation: Operation, at: number): number {
  const value = operation[at]
  if (!Number.isSafeInteger(value)) throw malformed('an integer')
  return value as number
}

export function textAt(operation: Operation, at: number): string {
  const value = operation[at]
  if (typeof value !== 'string') throw malformed('a text')
  return value
}

export function listAt(operation: Operation, at: number): readonly unknown[] {
  const value = operation[at]
  if (!Array.isArray(value)) throw malformed('a list')
  return value
}

function qosOf(value: number): QoS {
  if (value === 0 || value === 1 || value === 2) return value
  throw malformed('a QoS')
}

export function malformed(expected: string): ShoalError {
  return new ShoalError('BAD_REQUEST', { expected })
}
