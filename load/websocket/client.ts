// One connection of the browser protocol (client-js/wire.ts). It walks frames and their lines as they were
// read: a message becomes a line in the ledger and a count in the histogram; only the rare answers
// are parsed as JSON.
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { ShoalError } from '../../broker/errors.ts'
import { PROTOCOL_VERSION, type Reply } from '../../client-js/wire.ts'
import { COUNTER, type Row } from '../board.ts'
import type { ClientEvents, LoadClient, Qos } from '../client.ts'
import { type Intake, Remainder } from '../intake.ts'
import { bucketOf } from '../latency.ts'
import type { Ledger } from '../ledger.ts'
import { openSocket } from '../socket.ts'
import {
  nowUs,
  readLetters,
  readTimeLetters,
  STAMP_BYTES,
  STREAM_AT,
  TEXT_SENT_AT,
  TEXT_SEQUENCE_AT
} from '../stamp.ts'
import { clientFrame, HEAD_END, OPCODE, upgradeRequest } from './frames.ts'

export interface WebSocketClientOptions {
  url: string
  clientId: string
  /** An answer later than this is a `TIMEOUT`. */
  timeoutMs: number
}

const NEW_LINE = 0x0a
const QUOTE = 0x22
const COLON = 0x3a
const LETTER_M = 0x6d
const LETTER_P = 0x70
const LETTER_U = 0x75
/** Where `published` stands in `{"t":"published"`: the only answer whose name begins with `pu`. */
const PUBLISHED_AT = 6
/** `"p":"` before a payload. */
const PAYLOAD_MARK_BYTES = 5
const SUBSCRIBE_ID = 1

interface Awaited {
  answer: 'upgrade' | Reply['t']
  resolve: (reply: Reply | undefined) => void
  reject: (error: Error) => void
}

export class WebSocketClient implements LoadClient {
  readonly options: WebSocketClientOptions
  ledger: Ledger | undefined
  acknowledged = 0
  receiveMaximum = 1

  readonly #intake: Intake
  readonly #row: Row
  readonly #events: ClientEvents
  readonly #remainder = new Remainder()
  #socket: Socket | undefined
  #upgraded = false
  /** Bytes of the current text frame that were not decoded yet. */
  #frameLeft = 0
  /** From the start of a message's line to its payload, as it was in the last one. */
  #payloadHint = 0
  #awaited: Awaited | undefined
  #closing = false

  constructor(options: WebSocketClientOptions, intake: Intake, row: Row, events: ClientEvents) {
    this.options = options
    this.#intake = intake
    this.#row = row
    this.#events = events
  }

  async connect(): Promise<void> {
    const { url, clientId } = this.options
    const upgraded = this.#await('upgrade')
    this.#socket = openSocket(url, this.#intake, {
      read: length => this.#receive(length),
      drained: () => this.#events.drained(),
      ended: error => this.#ended(error ?? new ShoalError('PEER_GONE', { clientId }))
    })
    this.#socket.write(upgradeRequest(url))
    await upgraded
    const welcome = this.#await('welcome')
    this.#send({ t: 'connect', version: PROTOCOL_VERSION, client: clientId })
    const reply = await welcome
    if (reply?.t === 'welcome') this.receiveMaximum = reply.limits.publishWindow
    this.#row.counters[COUNTER.connected]! += 1
  }

  /** The protocol gives every subscription its messages once, so `qos` changes nothing. */
  async subscribe(filter: string, _qos: Qos, ledger: Ledger): Promise<void> {
    this.ledger = ledger
    const answer = this.#await('subscribed')
    this.#send({ t: 'subscribe', id: SUBSCRIBE_ID, filter })
    await answer
  }

  get writable(): boolean {
    return this.#socket !== undefined && this.#socket.writableLength === 0 && !this.#closing
  }

  write(bytes: Uint8Array): void {
    this.#socket!.write(bytes)
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#socket?.end(clientFrame(OPCODE.close, Buffer.from([0x03, 0xe8])))
  }

  #send(request: object): void {
    this.#socket!.write(clientFrame(OPCODE.text, Buffer.from(JSON.stringify(request))))
  }

  #await(answer: Awaited['answer']): Promise<Reply | undefined> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#fail(new ShoalError('TIMEOUT', { clientId: this.options.clientId, waitingFor: answer }))
      }, this.options.timeoutMs)
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(deadline)
          then(value)
        }
      this.#awaited = { answer, resolve: settle(resolve), reject: settle(reject) }
    })
  }

  #ended(error: Error): void {
    this.#awaited?.reject(error)
    this.#awaited = undefined
    if (this.#closing) return
    this.#closing = true
    this.#row.counters[COUNTER.disconnected]! += 1
    this.#events.lost(error)
  }

  #fail(error: Error): void {
    this.#ended(error)
    this.#socket?.destroy()
  }

  #receive(length: number): void {
    const end = this.#intake.headroom + length
    let at = this.#remainder.restore(this.#intake)
    if (!this.#upgraded) at = this.#takeUpgrade(at, end)
    if (this.#upgraded) at = this.#walk(at, end, nowUs())
    if (end - at > this.#intake.headroom) {
      this.#fail(new ShoalError('PAYLOAD_TOO_LARGE', { most: this.#intake.headroom }))
      at = end
    }
    this.#remainder.keep(this.#intake, at, end)
    this.#events.received()
  }

  #takeUpgrade(at: number, end: number): number {
    const head = this.#intake.bytes.toString('latin1', at, end)
    const headEnd = head.indexOf(HEAD_END)
    if (headEnd === -1) return at
    if (!head.startsWith('HTTP/1.1 101 ')) {
      this.#fail(new ShoalError('PEER_REFUSED', { status: head.slice(0, head.indexOf('\r\n')) }))
      return end
    }
    this.#upgraded = true
    const awaited = this.#awaited
    this.#awaited = undefined
    awaited?.resolve(undefined)
    return at + headEnd + HEAD_END.length
  }

  /** Decodes frames and lines; returns where what is cut off begins. */
  #walk(start: number, end: number, timeUs: number): number {
    const { bytes } = this.#intake
    let at = start
    while (at < end) {
      if (this.#frameLeft === 0) {
        const body = this.#takeHeader(at, end)
        if (body === -1) return at
        at = body
        continue
      }
      const most = Math.min(end, at + this.#frameLeft)
      let lineEnd = bytes.indexOf(NEW_LINE, at)
      if (lineEnd === -1 || lineEnd >= most) lineEnd = most
      // The line goes on beyond what was read.
      if (lineEnd === end && end < at + this.#frameLeft) return at
      this.#takeLine(at, lineEnd, timeUs)
      const next = Math.min(lineEnd + 1, at + this.#frameLeft)
      this.#frameLeft -= next - at
      at = next
    }
    return at
  }

  /** Reads a frame's header; returns where its payload begins, or -1 when it is cut off. Control frames are handled whole. */
  #takeHeader(at: number, end: number): number {
    const { bytes } = this.#intake
    if (end - at < 2) return -1
    const opcode = bytes[at]! & 0x0f
    const short = bytes[at + 1]! & 0x7f
    const body = at + (short < 126 ? 2 : short === 126 ? 4 : 10)
    if (body > end) return -1
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    if (opcode <= OPCODE.text) {
      this.#frameLeft = length
      return body
    }
    if (body + length > end) return -1
    if (opcode === OPCODE.ping) this.write(clientFrame(OPCODE.pong, bytes.subarray(body, body + length)))
    if (opcode === OPCODE.close) {
      const code = length >= 2 ? bytes.readUInt16BE(body) : 1005
      this.#fail(new ShoalError('PEER_GONE', { clientId: this.options.clientId, code }))
    }
    return body + length
  }

  #takeLine(at: number, end: number, timeUs: number): void {
    const { bytes } = this.#intake
    if (end - at < 3) return
    if (bytes[at + 2] !== LETTER_M) {
      if (bytes[at + PUBLISHED_AT] === LETTER_P && bytes[at + PUBLISHED_AT + 1] === LETTER_U) {
        this.acknowledged += 1
        this.#row.counters[COUNTER.acknowledged]! += 1
      } else {
        this.#takeReply(bytes.toString('utf8', at, end))
      }
      return
    }
    const payload = this.#payloadAt(at, end)
    if (payload === -1 || this.ledger === undefined || end - payload < STAMP_BYTES.text) {
      this.#row.counters[COUNTER.foreign]! += 1
      return
    }
    this.ledger.take(readLetters(bytes, payload + STREAM_AT), readLetters(bytes, payload + TEXT_SEQUENCE_AT))
    this.#row.latencies[bucketOf(timeUs - readTimeLetters(bytes, payload + TEXT_SENT_AT))]! += 1
  }

  /** Where the payload of the line `at..end` begins; -1 if there is none as text. Topics of a load hold no quote. */
  #payloadAt(at: number, end: number): number {
    const hint = at + this.#payloadHint
    if (hint < end && this.#isPayload(hint)) return hint
    for (let from = at + PAYLOAD_MARK_BYTES; from < end; from++) {
      if (!this.#isPayload(from)) continue
      this.#payloadHint = from - at
      return from
    }
    return -1
  }

  #isPayload(at: number): boolean {
    const { bytes } = this.#intake
    return (
      bytes[at - 5] === QUOTE &&
      bytes[at - 4] === LETTER_P &&
      bytes[at - 3] === QUOTE &&
      bytes[at - 2] === COLON &&
      bytes[at - 1] === QUOTE
    )
  }

  #takeReply(line: string): void {
    const reply = JSON.parse(line) as Reply
    if (reply.t === this.#awaited?.answer) {
      const { resolve } = this.#awaited
      this.#awaited = undefined
      resolve(reply)
    } else if (reply.t === 'error') {
      const error = new ShoalError('NOT_AUTHORISED', {
        clientId: this.options.clientId,
        code: reply.code,
        why: reply.message
      })
      if (this.#awaited !== undefined) this.#fail(error)
      else this.#row.counters[COUNTER.refused]! += 1
    } else if (reply.t === 'goodbye') {
      this.#fail(
        new ShoalError('PEER_GONE', { clientId: this.options.clientId, code: reply.code, why: reply.message })
      )
    }
  }
}
