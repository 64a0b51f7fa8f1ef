// A client that says exactly what a statement needs, wrong things too, and takes what comes by its kind.
// That nothing comes is proven by what comes behind it: a PINGRESP, or a message sent later. Nothing sleeps.
import assert from 'node:assert/strict'
import { withDeadline } from '../../support/deadline.ts'
import type { Link } from './link.ts'
import {
  acknowledgement,
  CONNACK,
  type ConnectFields,
  connect,
  describe,
  type Message,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  type PublishFields,
  publish,
  type Received,
  readMessage,
  readPacket,
  SUBACK,
  subscribe,
  UNSUBACK,
  unsubscribe
} from './packets.ts'

/** An answer that takes longer does not come. */
const ANSWER_MS = 5_000
const PACKETS_MAX = 10_000

export class Client {
  /** Packets that came and were not taken. */
  readonly received: Received[] = []
  /** CONNACK's session present. */
  present = false
  readonly link: Link
  #input: Buffer = Buffer.alloc(0)
  #isClosed = false
  #changed: (() => void) | null = null
  #packetId = 100

  constructor(link: Link) {
    this.link = link
    link.onData = chunk => this.#read(chunk)
    link.onClose = () => {
      this.#isClosed = true
      this.#changed?.()
    }
  }

  send(...packets: Buffer[]): void {
    this.link.write(Buffer.concat(packets))
  }

  /** CONNECT, and the CONNACK that accepts it. */
  async connect(fields: ConnectFields): Promise<void> {
    this.send(connect(fields))
    const [flags, code] = (await this.next(CONNACK)).body
    assert.equal(code, 0, `CONNACK with return code ${code}`)
    this.present = flags === 1
  }

  /** The next packet, which must be of that type. */
  async next(type: number): Promise<Received> {
    await this.#until('a packet', () => this.received.length > 0)
    const packet = this.received.shift()!
    assert.equal(packet.type, type, `type ${type} expected, got ${describe(packet)}`)
    return packet
  }

  /** The first packet of that type, whatever came before it. */
  async take(type: number): Promise<Received> {
    const index = (): number => this.received.findIndex(packet => packet.type === type)
    await this.#until(`a packet of type ${type}`, () => index() >= 0)
    return this.received.splice(index(), 1)[0]!
  }

  /** The next PUBLISH, which must have what is expected. It is not acknowledged. */
  async message(expected: Partial<Message> = {}): Promise<Message> {
    const message = readMessage(await this.take(PUBLISH))
    assert.deepEqual(message, { ...message, ...expected })
    return message
  }

  /** The packet's id of an acknowledgement, which must be the next of its type. */
  async acknowledged(type: number): Promise<number> {
    const { body, flags } = await this.take(type)
    assert.equal(flags, type === PUBREL ? 2 : 0)
    return body.readUInt16BE(0)
  }

  /** SUBSCRIBE with one filter, and its return code. */
  async subscribe(filter: string | Buffer, qos = 0): Promise<number> {
    const id = this.packetId()
    this.send(subscribe(id, [filter, qos]))
    const { body } = await this.take(SUBACK)
    assert.equal(body.readUInt16BE(0), id)
    return body[2]!
  }

  async unsubscribe(...filters: string[]): Promise<void> {
    const id = this.packetId()
    this.send(unsubscribe(id, ...filters))
    assert.equal(await this.acknowledged(UNSUBACK), id)
  }

  /** PUBLISH, and all that its QoS asks for. */
  async publish(topic: string, payload: string, fields: PublishFields = {}): Promise<void> {
    const { qos = 0, id = this.packetId() } = fields
    this.send(publish(topic, payload, { ...fields, id }))
    if (qos === 1) assert.equal(await this.acknowledged(PUBACK), id)
    if (qos !== 2) return
    assert.equal(await this.acknowledged(PUBREC), id)
    this.send(acknowledgement(PUBREL, id))
    assert.equal(await this.acknowledged(PUBCOMP), id)
  }

  /** Acknowledges a message as its QoS asks for. */
  async acknowledge({ qos, id }: Message): Promise<void> {
    if (qos === 1) this.send(acknowledgement(PUBACK, id))
    if (qos !== 2) return
    this.send(acknowledgement(PUBREC, id))
    assert.equal(await this.acknowledged(PUBREL), id)
    this.send(acknowledgement(PUBCOMP, id))
  }

  /** The server has handled all that was sent. */
  async settled(): Promise<void> {
    this.send(PINGREQ)
    await this.take(PINGRESP)
  }

  /** Nothing more has come than what was taken. */
  async nothing(): Promise<void> {
    await this.settled()
    assert.deepEqual(this.received.map(describe), [])
  }

  /** The server closes the connection. */
  async closes(withinMs = ANSWER_MS): Promise<void> {
    await this.#until('the close', () => this.#isClosed, withinMs)
  }

  /** The server closes the connection and says nothing before. */
  async closesUnanswered(): Promise<void> {
    await this.closes()
    assert.deepEqual(this.received.map(describe), [])
  }

  /** Goes without a DISCONNECT. */
  drop(): void {
    this.link.destroy()
  }

  packetId(): number {
    return ++this.#packetId
  }

  #read(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk])
    for (let whole = readPacket(this.#input); whole !== null; whole = readPacket(this.#input)) {
      assert.ok(this.received.length < PACKETS_MAX, 'more packets than any statement needs')
      this.received.push(whole.received)
      this.#input = this.#input.subarray(whole.end)
    }
    this.#changed?.()
  }

  /** `closingMs` is given when the close is what is waited for. */
  async #until(what: string, isSo: () => boolean, closingMs?: number): Promise<void> {
    while (!isSo()) {
      if (this.#isClosed && closingMs === undefined) throw new Error(`closed while waiting for ${what}`)
      const change = new Promise<void>(resolve => {
        this.#changed = resolve
      })
      const waiting = this.received.map(describe).join('; ')
      await withDeadline(change, `${what}; waiting: ${waiting}`, closingMs ?? ANSWER_MS)
    }
  }
}
