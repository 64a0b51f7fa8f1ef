// The reliable way from member to member, for programs that have none of their own: a connection for each question, which
// the answer ends. States are sealed by SWIM; who asks whether a member lives is told so, whoever it is.
//
//   question   kind u8: 0 ping, 1 push-pull │ length u32 │ state         answer   length u32 │ state
import type { Duplex } from 'node:stream'
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Address, Network } from '../runtime/network.ts'
import type { SwimTransport } from './context.ts'
import { parseId } from './member.ts'

const PING = 0
const PUSH_PULL = 1
const QUESTION_HEAD_BYTES = 5
const ANSWER_HEAD_BYTES = 4

/** 10,000 members with all the metadata they may have. */
const STATE_BYTES_MAX = 8 * 1024 * 1024
/** Connections that are being answered; one more is closed at once. */
const ANSWERING_MAX = 64
const DIAL_TIMEOUT_MS = 2000
/** From the open connection to the whole answer, on either side. */
const EXCHANGE_TIMEOUT_MS = 5000

export class StreamTransport implements SwimTransport {
  /** Questions that were not answered: too many at once, not valid, or too slow. */
  refused = 0
  readonly #clock: Clock
  readonly #network: Pick<Network, 'connect'>
  #answering = 0

  constructor({ clock, network }: { clock: Clock; network: Pick<Network, 'connect'> }) {
    this.#clock = clock
    this.#network = network
  }

  /** Rejects with TIMEOUT, PEER_GONE, or the system's error when no one listens there. */
  async ping(memberId: string): Promise<void> {
    await this.#ask(memberId, PING, new Uint8Array())
  }

  /** Rejects as `ping` does, and with FRAME_TOO_LARGE. */
  pushPull(address: string, state: Uint8Array): Promise<Uint8Array> {
    return this.#ask(address, PUSH_PULL, state)
  }

  /** Answers a question that comes over `stream`. `receivePushPull` is that of Swim; what it throws ends the connection. */
  answer(stream: Duplex, receivePushPull: (state: Uint8Array) => Uint8Array): void {
    if (this.#answering === ANSWERING_MAX) {
      this.refused++
      stream.on('error', () => {})
      stream.destroy()
      return
    }
    this.#answering++
    void this.#answer(stream, receivePushPull).finally(() => {
      this.#answering--
    })
  }

  async #answer(stream: Duplex, receivePushPull: (state: Uint8Array) => Uint8Array): Promise<void> {
    try {
      const { head, body } = await this.#receive(stream, QUESTION_HEAD_BYTES)
      const state = head[0] === PUSH_PULL ? receivePushPull(body) : new Uint8Array()
      stream.end(framed(ANSWER_HEAD_BYTES, state))
    } catch (error) {
      this.refused++
      stream.destroy()
      const isTheirs = error instanceof ShoalError || (error as { code?: unknown }).code !== undefined
      if (!isTheirs) throw error
    }
  }

  async #ask(id: string, kind: number, state: Uint8Array): Promise<Uint8Array> {
    if (state.length > STATE_BYTES_MAX) {
      throw new ShoalError('FRAME_TOO_LARGE', { bytes: state.length, bytesMax: STATE_BYTES_MAX })
    }
    const stream = await this.#network.connect(addressOf(id), DIAL_TIMEOUT_MS)
    const question = framed(QUESTION_HEAD_BYTES, state)
    question[0] = kind
    stream.write(question)
    try {
      return (await this.#receive(stream, ANSWER_HEAD_BYTES)).body
    } finally {
      stream.destroy()
    }
  }

  /** One message: its head, the last four bytes of which are the length of its body, and the body. */
  #receive(stream: Duplex, headBytes: number): Promise<{ head: Buffer; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const deadline = this.#clock.after(EXCHANGE_TIMEOUT_MS, () => fail(new ShoalError('TIMEOUT')))
      const chunks: Buffer[] = []
      let got = 0
      let wanted = headBytes
      let isHead = true
      const fail = (error: Error): void => {
        deadline.cancel()
        stream.destroy()
        reject(error)
      }
      stream.on('error', fail)
      stream.once('close', () => fail(new ShoalError('PEER_GONE')))
      const take = (chunk: Buffer): void => {
        chunks.push(chunk)
        got += chunk.length
        if (got < wanted) return
        const all = Buffer.concat(chunks)
        if (isHead) {
          isHead = false
          wanted = headBytes + all.readUInt32BE(headBytes - 4)
          if (wanted > headBytes + STATE_BYTES_MAX) {
            return fail(new ShoalError('FRAME_TOO_LARGE', { bytes: wanted, bytesMax: STATE_BYTES_MAX }))
          }
        }
        if (got < wanted) return
        deadline.cancel()
        // What else comes is nothing that was asked for.
        stream.off('data', take).resume()
        resolve({ head: all.subarray(0, headBytes), body: all.subarray(headBytes, wanted) })
      }
      stream.on('data', take)
    })
  }
}

function framed(headBytes: number, body: Uint8Array): Buffer {
  const message = Buffer.alloc(headBytes + body.length)
  message.writeUInt32BE(body.length, headBytes - 4)
  message.set(body, headBytes)
  return message
}

function addressOf(id: string): Address {
  const address = parseId(id)
  if (address === null)
    throw new ShoalError('OPTION_INVALID', { option: 'address', value: id, allowed: 'host:port' })
  return address
}
