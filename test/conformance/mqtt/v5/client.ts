// A client of MQTT 5.0, over the same connection as any other.
import assert from 'node:assert/strict'
import type { Client } from '../client.ts'
import { CONNACK, PUBACK, PUBLISH, SUBACK } from '../packets.ts'
import type { Trial } from '../statement.ts'
import { connect5, DISCONNECT, type Message5, publish5, readMessage5, subscribe5 } from './packets.ts'

export class Client5 {
  readonly client: Client

  private constructor(client: Client) {
    this.client = client
  }

  /** With a new session that ends with the connection. */
  static async connected(trial: Trial): Promise<Client5> {
    const client = await trial.open()
    client.send(connect5(trial.id()))
    assert.equal((await client.next(CONNACK)).body[1], 0)
    return new Client5(client)
  }

  /** The reason code of the one filter. */
  async subscribe(filter: string, options = 0, ...properties: Buffer[]): Promise<number> {
    const id = this.client.packetId()
    this.client.send(subscribe5(id, filter, options, ...properties))
    const { body } = await this.client.take(SUBACK)
    assert.equal(body.readUInt16BE(0), id)
    return body.at(-1)!
  }

  /** At QoS 1, until it is acknowledged. */
  async publish(topic: string, payload: string, retain = false, ...properties: Buffer[]): Promise<void> {
    const id = this.client.packetId()
    this.client.send(publish5(topic, payload, { qos: 1, retain, id }, ...properties))
    assert.equal((await this.client.take(PUBACK)).body.readUInt16BE(0), id)
  }

  async message(expected: Partial<Message5> = {}): Promise<Message5> {
    const message = readMessage5(await this.client.take(PUBLISH))
    assert.deepEqual(message, { ...message, ...expected })
    return message
  }

  /** DISCONNECT with one of these reasons, if the server says why, and the close. */
  async ends(...reasons: number[]): Promise<void> {
    await this.client.closes()
    const [last, ...more] = this.client.received
    assert.equal(more.length, 0)
    if (last === undefined) return
    assert.equal(last.type, DISCONNECT)
    assert.ok(reasons.includes(last.body[0] ?? 0), `reason code ${last.body[0]}`)
  }
}
