// One MQTT connection of the load. It walks each chunk as it was read, without an object or a copy a
// message: a PUBLISH becomes a line in the ledger and a count in the histogram, nothing else.
import { Buffer } from 'node:buffer'
import type { Socket } from 'node:net'
import { type IConnackPacket, type ISubackPacket, type Packet, parser } from 'mqtt-packet'
import { ShoalError } from '../../broker/errors.ts'
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
  SENT_AT,
  SEQUENCE_AT,
  STAMP_BYTES,
  STREAM_AT,
  type StampKind,
  TEXT_SENT_AT,
  TEXT_SEQUENCE_AT
} from '../stamp.ts'
import { clientFrame, frameHeader, OPCODE, upgradeRequest } from '../websocket/frames.ts'
import { Tunnel } from '../websocket/tunnel.ts'
import {
  type Credentials,
  connectPacket,
  disconnectPacket,
  type ProtocolVersion,
  subscribePacket
} from './packets.ts'
import { addReply, REPLY, takeReplies } from './replies.ts'

export interface ClientOptions {
  url: string
  clientId: string
  /** MQTT in the frames of a WebSocket. */
  framed: boolean
  version: ProtocolVersion
  credentials: Credentials
  /** How payloads are stamped. */
  stamp: StampKind
  /** An answer (TCP, CONNACK, SUBACK) later than this is a `TIMEOUT`. */
  timeoutMs: number
}

interface Awaited {
  answer: 'upgrade' | 'connack' | 'suback'
  resolve: (packet: Packet | undefined) => void
  reject: (error: Error) => void
}

export class MqttClient implements LoadClient {
  readonly options: ClientOptions
  /** What this client should receive; none for one that only publishes. */
  ledger: Ledger | undefined
  /** Publishes whose exchange is over: PUBACKs, PUBCOMPs, and PUBRECs that refuse. */
  acknowledged = 0
  /** The broker's Receive Maximum: QoS 1 messages that may be in flight to it. */
  receiveMaximum = 65_535

  readonly #row: Row
  readonly #intake: Intake
  readonly #events: ClientEvents
  #socket: Socket | undefined
  #tunnel: Tunnel | undefined
  readonly #remainder = new Remainder()
  #awaited: Awaited | undefined
  #closing = false

  constructor(options: ClientOptions, intake: Intake, row: Row, events: ClientEvents) {
    this.options = options
    this.#intake = intake
    this.#row = row
    this.#events = events
  }

  /** Connects and waits for CONNACK. Rejects with `PEER_REFUSED`, `PEER_GONE`, `TIMEOUT` or the system's error. */
  async connect(): Promise<void> {
    const { url, clientId, framed, version, credentials } = this.options
    this.#socket = openSocket(url, this.#intake, {
      read: length => this.#read(length),
      drained: () => this.#events.drained(),
      ended: error => this.#ended(error ?? new ShoalError('PEER_GONE', { clientId }))
    })
    if (framed) await this.#upgrade(url)
    const answer = this.#await('connack')
    this.#put(connectPacket(clientId, version, credentials))
    const packet = (await answer) as IConnackPacket
    const code = packet.reasonCode ?? packet.returnCode ?? 0
    if (code !== 0) {
      this.close()
      throw new ShoalError('PEER_REFUSED', { clientId, code })
    }
    this.receiveMaximum = packet.properties?.receiveMaximum ?? 65_535
    this.#row.counters[COUNTER.connected]! += 1
  }

  /** Subscribes and waits for SUBACK. Rejects with `NOT_AUTHORISED` when the broker refuses the filter. */
  async subscribe(filter: string, qos: Qos, ledger: Ledger): Promise<void> {
    this.ledger = ledger
    const answer = this.#await('suback')
    this.#put(subscribePacket(filter, qos, this.options.version))
    const packet = (await answer) as ISubackPacket
    const granted = packet.granted[0]
    const code = typeof granted === 'number' ? granted : undefined
    if (code === undefined || code >= 0x80) throw new ShoalError('NOT_AUTHORISED', { filter, code })
  }

  /** Whether a write would go out at once: nothing is waiting in this process. */
  get writable(): boolean {
    return this.#socket !== undefined && this.#socket.writableLength === 0 && !this.#closing
  }

  /** Writes. The bytes may be changed again once `writable` is true. */
  write(bytes: Uint8Array): void {
    this.#put(bytes)
  }

  /** Says DISCONNECT and closes. */
  close(): void {
    if (this.#closing) return
    this.#closing = true
    if (this.#socket === undefined) return
    this.#put(disconnectPacket(this.options.version))
    this.#socket.end()
  }

  /** Closes at once, without a word. */
  destroy(): void {
    this.#closing = true
    this.#socket?.destroy()
  }

  async #upgrade(url: string): Promise<void> {
    const upgraded = this.#await('upgrade')
    this.#tunnel = new Tunnel({
      upgraded: () => this.#settle(undefined),
      pinged: payload => this.#socket!.write(clientFrame(OPCODE.pong, payload)),
      failed: error => this.#fail(error)
    })
    this.#socket!.write(upgradeRequest(url, 'mqtt'))
    await upgraded
  }

  /** Writes a part of the MQTT stream, in a frame where it goes in frames. */
  #put(bytes: Uint8Array): void {
    const socket = this.#socket!
    if (this.#tunnel === undefined) {
      socket.write(bytes)
      return
    }
    socket.cork()
    socket.write(frameHeader(OPCODE.binary, bytes.length))
    socket.write(bytes)
    socket.uncork()
  }

  #await(answer: Awaited['answer']): Promise<Packet | undefined> {
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.destroy()
        reject(new ShoalError('TIMEOUT', { clientId: this.options.clientId, waitingFor: answer }))
      }, this.options.timeoutMs)
      this.#awaited = {
        answer,
        resolve: packet => {
          clearTimeout(deadline)
          resolve(packet)
        },
        reject: error => {
          clearTimeout(deadline)
          reject(error)
        }
      }
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

  #settle(packet: Packet | undefined): void {
    const awaited = this.#awaited
    this.#awaited = undefined
    awaited?.resolve(packet)
  }

  #read(length: number): void {
    const { bytes, headroom } = this.#intake
    if (this.#tunnel === undefined) this.#receive(length)
    else this.#receive(this.#tunnel.unwrap(bytes, headroom, headroom + length) - headroom)
  }

  /** Decodes the `length` bytes that the kernel put at `intake.read`, after what was carried over. */
  #receive(length: number): void {
    const { bytes, headroom } = this.#intake
    const end = headroom + length
    let at = this.#remainder.restore(this.#intake)
    const timeUs = nowUs()
    while (end - at >= 2) {
      let rest = bytes[at + 1]!
      let body = at + 2
      if (rest > 127) {
        rest &= 127
        let shift = 7
        while (body < end && shift <= 21) {
          const digit = bytes[body++]!
          rest += (digit & 127) << shift
          shift += 7
          if (digit < 128) break
        }
        if (bytes[body - 1]! > 127 && body - at < 5) break // the length itself is cut off
      }
      if (rest > headroom) {
        this.#fail(new ShoalError('PAYLOAD_TOO_LARGE', { bytes: rest, most: headroom }))
        return
      }
      const next = body + rest
      if (next > end) break
      const first = bytes[at]!
      if (first >>> 4 === 3) this.#takePublish(first, body, next, timeUs)
      else if (first >= REPLY.puback && first <= REPLY.pubcomp) this.#takeReply(first, body, rest)
      else this.#takeOther(at, next)
      at = next
    }
    this.#remainder.keep(this.#intake, at, end)
    this.#reply()
    this.#events.received()
  }

  #takePublish(first: number, body: number, end: number, timeUs: number): void {
    const { bytes, view } = this.#intake
    let payload = body + 2 + ((bytes[body]! << 8) | bytes[body + 1]!)
    if ((first & 0x06) !== 0) {
      const reply = (first & 0x06) === 0x02 ? REPLY.puback : REPLY.pubrec
      if (addReply(reply, (bytes[payload]! << 8) | bytes[payload + 1]!)) this.#reply()
      payload += 2
    }
    if (this.options.version === 5) {
      let properties = bytes[payload]!
      if (properties > 127) properties = (properties & 127) + (bytes[++payload]! << 7)
      payload += 1 + properties
    }
    const { counters, latencies } = this.#row
    if (this.ledger === undefined || end - payload < STAMP_BYTES[this.options.stamp]) {
      counters[COUNTER.foreign]! += 1
    } else if (this.options.stamp === 'binary') {
      this.ledger.take(view.getUint32(payload + STREAM_AT, true), view.getUint32(payload + SEQUENCE_AT, true))
      latencies[bucketOf(timeUs - view.getFloat64(payload + SENT_AT, true))]! += 1
    } else {
      this.ledger.take(
        readLetters(bytes, payload + STREAM_AT),
        readLetters(bytes, payload + TEXT_SEQUENCE_AT)
      )
      latencies[bucketOf(timeUs - readTimeLetters(bytes, payload + TEXT_SENT_AT))]! += 1
    }
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  #takeReply(first: number, body: number, rest: number): void {
    const { bytes } = this.#intake
    const packetId = (bytes[body]! << 8) | bytes[body + 1]!
    const isRefusal = rest > 2 && bytes[body + 2]! >= 0x80
    if (first === REPLY.pubrel) {
      if (addReply(REPLY.pubcomp, packetId)) this.#reply()
    } else if (first === REPLY.pubrec && !isRefusal) {
      if (addReply(REPLY.pubrel, packetId)) this.#reply()
    } else {
      this.acknowledged += 1
      this.#row.counters[COUNTER.acknowledged]! += 1
      if (isRefusal) this.#row.counters[COUNTER.refused]! += 1
    }
  }

  /** Writes what the packets read so far are answered with. */
  #reply(): void {
    const replies = takeReplies()
    if (replies !== undefined && !this.#closing) this.#put(replies)
  }

  #takeOther(at: number, end: number): void {
    const decoder = parser({ protocolVersion: this.options.version })
    decoder.on('error', error => this.#fail(error))
    decoder.on('packet', packet => {
      if (packet.cmd === this.#awaited?.answer) {
        this.#settle(packet)
      } else if (packet.cmd === 'disconnect') {
        this.#fail(
          new ShoalError('PEER_GONE', { clientId: this.options.clientId, reason: packet.reasonCode })
        )
      }
    })
    decoder.parse(Buffer.from(this.#intake.bytes.subarray(at, end)))
  }

  #fail(error: Error): void {
    this.#ended(error)
    this.destroy()
  }
}
