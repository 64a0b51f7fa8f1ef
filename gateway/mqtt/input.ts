// A client's bytes, cut into packets: in place from the chunk that was read, put together only when a packet
// arrives in pieces, held back while the connection is blocked.
//
//   chunk 1                chunk 2
//   ├─packet─┼─packet─┼─pac│ket─┼─packet─┤      the third is assembled, the others stay where they are
import { Assembly } from './assembly.ts'
import type { Header } from './decode.ts'
import { MALFORMED_PACKET, PACKET_TOO_LARGE, PROTOCOL_ERROR, QUOTA_EXCEEDED } from './reason-codes.ts'
import type { ByteTransport } from './transport.ts'

/** Input that a transport which cannot be paused may pile up, beyond one packet. */
const HELD_BYTES_MAX = 1_048_576
const CONNECT = 1

/** Who gets the packets. */
export interface PacketSink {
  readonly closed: boolean
  /** True until the first packet, which must be a CONNECT. */
  readonly opening: boolean
  /**
   * One whole packet: its first byte at `at`, its rest `start..end`; `minimal` if its length is written as it must be.
   * Returns where the next begins: it may take whole packets with it that lie behind it before `limit`.
   */
  packet(chunk: Buffer, at: number, start: number, end: number, limit: number, minimal: boolean): number
  /** The bytes are no MQTT, or too many; closes. */
  refuse(reason: number): void
  /** All packets have been read, and there will be no more. */
  ended(): void
}

export class Input {
  readonly sink: PacketSink
  readonly transport: ByteTransport
  /** Shared by all connections: of no meaning between two packets. */
  readonly header: Header
  readonly packetBytesMax: number
  /** Bits of `BLOCKED_*`; while any is set no packet is read, and what comes is held. */
  blocked = 0
  /** Input behind the packet that blocked; null if none. */
  held: Buffer[] | null = null
  heldBytes = 0
  /** A packet that has not arrived whole; null if none. */
  assembly: Assembly | null = null
  #atEnd = false

  constructor(sink: PacketSink, transport: ByteTransport, header: Header, packetBytesMax: number) {
    this.sink = sink
    this.transport = transport
    this.header = header
    this.packetBytesMax = packetBytesMax
  }

  /** Takes bytes in order; calls the sink for each packet that is whole. */
  take(chunk: Buffer): void {
    if (this.blocked !== 0) return this.#hold(chunk)
    const { header, sink } = this
    const length = chunk.length
    let at = this.assembly === null ? 0 : this.#assemble(this.assembly, chunk, 0)
    while (at < length && !sink.closed) {
      if (this.blocked !== 0) return this.#hold(at === 0 ? chunk : chunk.subarray(at))
      const status = header.read(chunk, at, length)
      if (status < 0) return sink.refuse(MALFORMED_PACKET)
      if (sink.opening && chunk[at]! >> 4 !== CONNECT) return sink.refuse(PROTOCOL_ERROR) // [MQTT-3.1.0-1]
      if (status === 0 || header.end > length) {
        this.assembly = new Assembly()
        at = this.#assemble(this.assembly, chunk, at)
      } else {
        const end = header.end
        if (end - at > this.packetBytesMax) return sink.refuse(PACKET_TOO_LARGE)
        at = sink.packet(chunk, at, header.start, end, length, header.minimal)
      }
    }
  }

  /** The client has closed its side. The sink hears of it when what came before is read. */
  end(): void {
    this.#atEnd = true
    if (this.blocked === 0) this.sink.ended()
  }

  /** Reads no further until `unblock` with the same bit. */
  block(bit: number): void {
    if (this.blocked === 0) this.transport.pause()
    this.blocked |= bit
  }

  unblock(bit: number): void {
    if ((this.blocked & bit) === 0) return
    this.blocked &= ~bit
    while (this.blocked === 0 && this.held !== null && !this.sink.closed) {
      const held = this.held
      this.held = null
      this.heldBytes = 0
      for (const chunk of held) this.take(chunk)
    }
    if (this.blocked !== 0 || this.sink.closed) return
    if (this.#atEnd) this.sink.ended()
    else this.transport.resume()
  }

  /** Forgets what was not read. */
  drop(): void {
    this.held = null
    this.heldBytes = 0
    this.assembly = null
  }

  #hold(chunk: Buffer): void {
    this.held ??= []
    this.held.push(chunk)
    this.heldBytes += chunk.length
    if (this.heldBytes > HELD_BYTES_MAX + this.packetBytesMax) this.sink.refuse(QUOTA_EXCEEDED)
  }

  /** Adds to the packet that has not arrived whole; returns where the rest of the chunk begins. */
  #assemble(assembly: Assembly, chunk: Buffer, from: number): number {
    const { header, sink } = this
    let at = assembly.takeHeader(chunk, from, header)
    if (at < 0 || assembly.expected > this.packetBytesMax) {
      sink.refuse(at < 0 ? MALFORMED_PACKET : PACKET_TOO_LARGE)
      return chunk.length
    }
    if (assembly.expected === 0) return at
    at = assembly.takeRest(chunk, at)
    if (assembly.whole) {
      this.assembly = null
      header.read(assembly.buffer, 0, assembly.length)
      const end = assembly.length
      sink.packet(assembly.buffer, 0, header.start, end, end, header.minimal)
    }
    return at
  }
}
