// One connection to the publish API: a request at a time, kept alive, as a backend's HTTP client does
// it. One message goes by itself, several as a batch. It receives no messages. Answers must have a
// Content-Length, as Shoal's do.
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { ShoalError } from '../../broker/errors.ts'
import { COUNTER, type Row } from '../board.ts'
import type { ClientEvents, LoadClient, Qos } from '../client.ts'
import { type Intake, Remainder } from '../intake.ts'
import { openSocket } from '../socket.ts'

export interface HttpClientOptions {
  url: string
  clientId: string
  /** Of what it publishes: at QoS 1 the answer acknowledges. */
  qos: Qos
  /** A connection or the answer to the first request later than this is a `TIMEOUT`. */
  timeoutMs: number
}

const HEAD_END = '\r\n\r\n'
const BATCH_HEAD = Buffer.from('{"messages":[')
const BATCH_TAIL = Buffer.from(']}')
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i
/** As much of an answer as an error quotes. */
const QUOTED_CHARACTERS_MAX = 200

export class HttpClient implements LoadClient {
  readonly ledger = undefined
  acknowledged = 0
  /** Messages of a request, so many as a publisher likes. */
  readonly receiveMaximum = 65_535

  readonly #options: HttpClientOptions
  readonly #intake: Intake
  readonly #row: Row
  readonly #events: ClientEvents
  readonly #remainder = new Remainder()
  readonly #requestHead: string
  #socket: Socket | undefined
  /** Messages of the request that waits for its answer; 0 when none does. */
  #asked = 0
  #wasRefused = false
  #closing = false

  constructor(options: HttpClientOptions, intake: Intake, row: Row, events: ClientEvents) {
    this.#options = options
    this.#intake = intake
    this.#row = row
    this.#events = events
    const { host, pathname } = new URL(options.url)
    const path = pathname === '/' ? '/publish' : pathname
    this.#requestHead = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: `
  }

  async connect(): Promise<void> {
    const { url, clientId, timeoutMs } = this.#options
    await new Promise<void>((resolve, reject) => {
      const deadline = setTimeout(() => {
        reject(new ShoalError('TIMEOUT', { clientId, waitingFor: 'a connection' }))
        this.close()
      }, timeoutMs)
      const socket = openSocket(url, this.#intake, {
        read: length => this.#receive(length),
        drained: () => this.#events.drained(),
        ended: error => {
          clearTimeout(deadline)
          const why = error ?? new ShoalError('PEER_GONE', { clientId })
          reject(why)
          this.#ended(why)
        }
      })
      this.#socket = socket
      socket.once(url.startsWith('https') ? 'secureConnect' : 'connect', () => {
        clearTimeout(deadline)
        resolve()
      })
    })
    this.#row.counters[COUNTER.connected]! += 1
  }

  /** Rejects: there is nothing to subscribe to. */
  async subscribe(): Promise<void> {
    throw new ShoalError('BAD_REQUEST', { why: 'HTTP publishes only' })
  }

  get writable(): boolean {
    return this.#socket !== undefined && this.#asked === 0 && !this.#closing
  }

  /** Sends a request with `messages` messages, laid out by the ring. */
  write(bytes: Uint8Array, messages: number): void {
    const socket = this.#socket!
    const isBatch = messages > 1
    const length = bytes.length - 1 + (isBatch ? BATCH_HEAD.length + BATCH_TAIL.length : 0)
    this.#asked = messages
    socket.cork()
    socket.write(`${this.#requestHead}${length}${HEAD_END}`, 'latin1')
    if (isBatch) socket.write(BATCH_HEAD)
    socket.write(bytes.subarray(0, bytes.length - 1))
    if (isBatch) socket.write(BATCH_TAIL)
    socket.uncork()
  }

  close(): void {
    this.#closing = true
    this.#socket?.end()
  }

  #ended(error: Error): void {
    if (this.#closing) return
    this.#closing = true
    this.#row.counters[COUNTER.disconnected]! += 1
    this.#events.lost(error)
  }

  #receive(length: number): void {
    const end = this.#intake.headroom + length
    let at = this.#remainder.restore(this.#intake)
    const text = this.#intake.bytes.toString('latin1', at, end)
    const headEnd = text.indexOf(HEAD_END)
    if (headEnd !== -1) {
      const body = headEnd + HEAD_END.length
      const bodyBytes = Number(CONTENT_LENGTH.exec(text.slice(0, headEnd))?.[1] ?? 0)
      if (text.length >= body + bodyBytes) {
        this.#takeAnswer(text)
        at += body + bodyBytes
      }
    }
    if (end - at > this.#intake.headroom) {
      this.#ended(new ShoalError('PAYLOAD_TOO_LARGE', { most: this.#intake.headroom }))
      this.#socket?.destroy()
      at = end
    }
    this.#remainder.keep(this.#intake, at, end)
    this.#events.received()
  }

  #takeAnswer(answer: string): void {
    const messages = this.#asked
    this.#asked = 0
    if (this.#options.qos > 0) {
      this.acknowledged += messages
      this.#row.counters[COUNTER.acknowledged]! += messages
    }
    if (answer.startsWith('HTTP/1.1 2')) return
    this.#row.counters[COUNTER.refused]! += messages
    if (this.#wasRefused) return
    this.#wasRefused = true
    this.#events.refused(
      new ShoalError('BAD_REQUEST', { answer: answer.slice(0, QUOTED_CHARACTERS_MAX).replace(/\s+/g, ' ') })
    )
  }
}
