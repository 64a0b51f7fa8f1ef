// The messages of SWIM in bytes. A packet is a header and messages up to its end; a state is a
// header, who sends it, and news of every member. All integers are big-endian.
//
//   header       version u8 │ ring u32
//   ping         1 │ sequence u32 │ target │ sender id │ digest u32
//   ack          2 │ sequence u32 │ instance 8 │ digest u32
//   nack         3 │ sequence u32
//   pingRequest  4 │ sequence u32 │ target │ sender id
//   news         5 │ state u8 │ id │ instance 8 │ incarnation u48 │ [accuser id: suspect, dead] │ [meta: alive, suspect]
//   target       id │ instance 8 │ incarnation u48
//   state        header │ sender id │ count u32 │ { news without its 5 } ...
//   id           length u8 │ ASCII
import { ShoalError } from '../errors.ts'
import { PACKET_BYTES_MAX } from './config.ts'
import { INCARNATION_MAX, type MemberState, type News, parseId } from './member.ts'
import { decodeMeta, encodeMeta, META_BYTES_MAX, type Meta } from './meta.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const VERSION = 1
export const HEADER_BYTES = 5
/** The shortest news there can be. */
export const NEWS_BYTES_MIN = 20
/** The longest: kind, state, id, instance, incarnation, accuser, meta. */
const NEWS_BYTES_MAX = 1 + 1 + 256 + 8 + 6 + 256 + META_BYTES_MAX

const PING = 1
const ACK = 2
const NACK = 3
const PING_REQUEST = 4
const NEWS = 5

/** Whom a ping is for, as its sender knows it. */
export interface Target {
  readonly id: string
  readonly instance: string
  readonly incarnation: number
}

export interface Ping {
  readonly kind: 'ping'
  /** Echoed by the answer. u32. */
  readonly sequence: number
  readonly target: Target
  readonly sender: string
  /** Of the sender's view: see MemberTable. */
  readonly digest: number
}

export interface Ack {
  readonly kind: 'ack'
  readonly sequence: number
  /** Of the member that was pinged, also when the ack comes through another. */
  readonly instance: string
  readonly digest: number
}

/** "I live, but had no answer from the member you asked me to ping." */
export interface Nack {
  readonly kind: 'nack'
  readonly sequence: number
}

export interface PingRequest {
  readonly kind: 'pingRequest'
  readonly sequence: number
  readonly target: Target
  readonly sender: string
}

export type SwimMessage = Ping | Ack | Nack | PingRequest | { readonly kind: 'news'; readonly news: News }

/** A full state: what `sender` believes of every member, itself included. */
export interface SwimState {
  readonly sender: string
  readonly news: readonly News[]
}

/** Whatever goes into a packet is written here first, one at a time. */
const scratch = new Writer(PACKET_BYTES_MAX)

const states: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left']
const noMeta: Readonly<Meta> = Object.freeze({})

export function encodePing(ping: Omit<Ping, 'kind'>): Uint8Array {
  const writer = scratch.clear()
  writer.u8(PING)
  writer.u32(ping.sequence)
  writeTarget(writer, ping.target)
  writer.shortText(ping.sender)
  writer.u32(ping.digest)
  return writer.finish()
}

export function encodeAck(ack: Omit<Ack, 'kind'>): Uint8Array {
  const writer = scratch.clear()
  writer.u8(ACK)
  writer.u32(ack.sequence)
  writer.hexadecimal(ack.instance)
  writer.u32(ack.digest)
  return writer.finish()
}

export function encodeNack(sequence: number): Uint8Array {
  const writer = scratch.clear()
  writer.u8(NACK)
  writer.u32(sequence)
  return writer.finish()
}

export function encodePingRequest(request: Omit<PingRequest, 'kind'>): Uint8Array {
  const writer = scratch.clear()
  writer.u8(PING_REQUEST)
  writer.u32(request.sequence)
  writeTarget(writer, request.target)
  writer.shortText(request.sender)
  return writer.finish()
}

export function encodeNews(news: News): Uint8Array {
  const writer = scratch.clear()
  writer.u8(NEWS)
  writeNews(writer, news)
  return writer.finish()
}

/** A packet of messages that are encoded already, unsealed. */
export function encodePacket(ring: number, messages: readonly Uint8Array[]): Uint8Array {
  const writer = scratch.clear()
  writeHeader(writer, ring)
  for (const message of messages) writer.bytes(message)
  return writer.finish()
}

/** The messages of a packet, at least one. Throws PACKET_INVALID, and nothing else, whatever the bytes. */
export function decodePacket(ring: number, packet: Uint8Array): SwimMessage[] {
  if (packet.length > PACKET_BYTES_MAX) throw new ShoalError('PACKET_INVALID', { reason: 'too long' })
  const reader = new Reader(packet)
  readHeader(reader, ring)
  const messages: SwimMessage[] = []
  do messages.push(readMessage(reader))
  while (reader.left > 0)
  return messages
}

export function encodeState(ring: number, state: SwimState): Uint8Array {
  const writer = new Writer(64 + 128 * state.news.length)
  writeHeader(writer, ring)
  writer.shortText(state.sender)
  writer.u32(state.news.length)
  for (const news of state.news) writeNews(writer, news)
  return writer.finish()
}

/** Throws PACKET_INVALID, and nothing else, whatever the bytes; also for news of more than `membersMax` members. */
export function decodeState(ring: number, bytes: Uint8Array, membersMax: number): SwimState {
  const reader = new Reader(bytes)
  if (bytes.length > HEADER_BYTES + 260 + membersMax * NEWS_BYTES_MAX) throw reader.invalid('too long')
  readHeader(reader, ring)
  const sender = readId(reader)
  const count = reader.u32()
  if (count > membersMax || count * (NEWS_BYTES_MIN - 1) > reader.left)
    throw reader.invalid('too many members')
  const news: News[] = []
  for (let i = 0; i < count; i++) news.push(readNews(reader))
  if (reader.left > 0) throw reader.invalid('bytes after the end')
  return { sender, news }
}

function writeHeader(writer: Writer, ring: number): void {
  writer.u8(VERSION)
  writer.u32(ring)
}

function readHeader(reader: Reader, ring: number): void {
  if (reader.u8() !== VERSION) throw reader.invalid('unknown version')
  if (reader.u32() !== ring) throw reader.invalid('of another ring')
}

function readMessage(reader: Reader): SwimMessage {
  const kind = reader.u8()
  switch (kind) {
    case PING: {
      const sequence = reader.u32()
      const target = readTarget(reader)
      return { kind: 'ping', sequence, target, sender: readId(reader), digest: reader.u32() }
    }
    case ACK:
      return { kind: 'ack', sequence: reader.u32(), instance: readInstance(reader), digest: reader.u32() }
    case NACK:
      return { kind: 'nack', sequence: reader.u32() }
    case PING_REQUEST: {
      const sequence = reader.u32()
      const target = readTarget(reader)
      return { kind: 'pingRequest', sequence, target, sender: readId(reader) }
    }
    case NEWS:
      return { kind: 'news', news: readNews(reader) }
    default:
      throw reader.invalid('unknown kind of message')
  }
}

function writeTarget(writer: Writer, target: Target): void {
  writer.shortText(target.id)
  writer.hexadecimal(target.instance)
  writer.u48(target.incarnation)
}

function readTarget(reader: Reader): Target {
  return { id: readId(reader), instance: readInstance(reader), incarnation: readIncarnation(reader) }
}

function writeNews(writer: Writer, news: News): void {
  writer.u8(states.indexOf(news.state))
  writeTarget(writer, news)
  if (news.state === 'suspect' || news.state === 'dead') writer.shortText(news.accuser)
  if (news.state === 'suspect' || news.state === 'alive') writer.bytes(encodeMeta(news.meta))
}

function readNews(reader: Reader): News {
  const state = states[reader.u8()]
  if (state === undefined) throw reader.invalid('unknown state')
  const id = reader.shortText()
  const address = parseId(id)
  if (address === null) throw reader.invalid('not a member id')
  const instance = readInstance(reader)
  const incarnation = readIncarnation(reader)
  const accuser = state === 'suspect' || state === 'dead' ? readId(reader) : ''
  const meta = state === 'suspect' || state === 'alive' ? decodeMeta(reader) : noMeta
  return { id, instance, host: address.host, port: address.port, meta, incarnation, state, accuser }
}

function readId(reader: Reader): string {
  const id = reader.shortText()
  if (parseId(id) === null) throw reader.invalid('not a member id')
  return id
}

function readInstance(reader: Reader): string {
  return reader.hexadecimal(8)
}

/** The highest of all is refused: nobody could refute it. */
function readIncarnation(reader: Reader): number {
  const incarnation = reader.u48()
  if (incarnation === INCARNATION_MAX) throw reader.invalid('incarnation out of range')
  return incarnation
}
