// A session as it travels to another node: its state in one record, its messages in records behind it, so that no piece
// outgrows a frame. What comes from a peer is checked as it is read.
import { ShoalError } from '../errors.ts'
import { Message, type QoS, type TopicName } from '../message.ts'
import { bytesOf, type Delivery } from './delivery.ts'
import { readOptions } from './operations.ts'
import type { Session } from './session.ts'
import { willOf } from './will.ts'

/** Bytes of one piece, about. */
const PIECE_BYTES = 256 * 1024
const RECORD_BYTES = 64

export type Record = Readonly<{ [name: string]: unknown }>

/** Where a topic's order stood, as the node that the session comes from has seen it. */
export interface Place {
  readonly topic: string
  readonly epoch: number
  readonly offset: number
}

/** What the old owner of a session has had of what has come to the new one. */
export interface Seen {
  readonly places: readonly Place[]
  /** Names of messages; see delivery.ts. */
  readonly names: readonly string[]
}

/** Pieces of records for each session: a head, its messages (in flight: with an id; then the queue), an end. */
export function pack(
  session: Session,
  seen: Seen,
  connection: { node: string; id: number } | null,
  now: number
): Record[][] {
  const { clientId, inflight, received, expirySeconds, will } = session
  const left = (at: number): number => (at === Infinity ? -1 : Math.max(0, Math.ceil(at - now)))
  const head = {
    kind: 'head',
    clientId,
    subscriptions: [...session.subscriptions].map(([filter, options]) => ({ filter, options })),
    last: inflight.last,
    received: received.ids(),
    waiting: received.waiting(),
    expirySeconds,
    will,
    willMs: left(session.willAt),
    expiresMs: left(session.expiresAt),
    places: seen.places,
    names: seen.names,
    connection
  }
  const pieces: Record[][] = [[head]]
  let bytes = 0
  const add = (record: Record, size: number): void => {
    if (bytes + size > PIECE_BYTES) {
      pieces.push([])
      bytes = 0
    }
    pieces[pieces.length - 1]!.push(record)
    bytes += size + RECORD_BYTES
  }
  for (const { id, delivery } of inflight) {
    if (delivery === null) add({ kind: 'released', clientId, id }, 0)
    else add({ kind: 'message', clientId, id, ...packed(delivery, now) }, bytesOf(delivery))
  }
  for (const delivery of session.queue)
    add({ kind: 'message', clientId, id: 0, ...packed(delivery, now) }, bytesOf(delivery))
  add({ kind: 'end', clientId }, 0)
  return pieces
}

function packed({ message, qos, retain, identifiers, expiresAt }: Delivery, now: number): Record {
  const { epoch, offset, properties, origin, sequence } = message
  return {
    topic: message.topic.name,
    payload: message.payload(),
    properties,
    epoch,
    offset,
    origin: origin === null ? null : origin.instance,
    sequence,
    qos,
    retain,
    identifiers,
    leftMs: expiresAt === Infinity ? -1 : Math.max(0, Math.ceil(expiresAt - now))
  }
}

export function unpackDelivery(record: Record, topicOf: (name: string) => TopicName, now: number): Delivery {
  const { payload, properties, identifiers } = record
  if (!(payload instanceof Uint8Array) || !Array.isArray(identifiers)) throw invalid('a message')
  const qos = integerIn(record, 'qos') as QoS
  if (qos > 2) throw invalid('a QoS')
  const retain = record['retain'] === true
  const message = new Message(topicOf(textIn(record, 'topic')), payload, 0, payload.length, qos, retain)
  message.properties = properties instanceof Uint8Array ? properties : null
  message.place(integerIn(record, 'epoch'), integerIn(record, 'offset'))
  const { origin } = record
  message.origin = typeof origin === 'string' ? { instance: origin } : null
  message.sequence = integerIn(record, 'sequence')
  const leftMs = integerIn(record, 'leftMs')
  return {
    message,
    qos,
    retain,
    identifiers: identifiers.filter(each => Number.isSafeInteger(each)),
    expiresAt: leftMs < 0 ? Infinity : now + leftMs
  }
}

/** Puts what the head says into a session that has just been made. */
export function unpackHead(head: Record, session: Session, now: number): void {
  for (const each of listIn(head, 'subscriptions')) {
    const { filter, options } = each as Record
    if (typeof filter !== 'string') throw invalid('a filter')
    session.subscriptions.set(filter, readOptions(options))
  }
  const at = (name: string): number => {
    const leftMs = integerIn(head, name)
    return leftMs < 0 ? Infinity : now + leftMs
  }
  const integers = (name: string): number[] =>
    listIn(head, name).filter((each): each is number => Number.isSafeInteger(each))
  session.received.restore(integers('received'), integers('waiting'))
  session.expirySeconds = integerIn(head, 'expirySeconds')
  session.will = willOf(head['will'])
  session.willAt = at('willMs')
  session.expiresAt = at('expiresMs')
}

export function placesIn(head: Record): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const each of listIn(head, 'places')) {
    const topic = textIn(each as Record, 'topic')
    const [epoch, offset] = [integerIn(each as Record, 'epoch'), integerIn(each as Record, 'offset')]
    places.set(topic, { topic, epoch, offset })
  }
  return places
}

export function textIn(record: Record, name: string): string {
  const value = record[name]
  if (typeof value !== 'string') throw invalid(name)
  return value
}

export function integerIn(record: Record, name: string): number {
  const value = record[name]
  if (!Number.isSafeInteger(value)) throw invalid(name)
  return value as number
}

export function listIn(record: Record, name: string): readonly unknown[] {
  const value = record[name]
  if (!Array.isArray(value)) throw invalid(name)
  return value
}

export function textsIn(record: Record, name: string): string[] {
  return listIn(record, name).filter((each): each is string => typeof each === 'string')
}

function invalid(expected: string): ShoalError {
  return new ShoalError('BAD_REQUEST', { expected })
}
