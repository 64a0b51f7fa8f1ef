// A small MQTT 5 client for the command line: connects, publishes, subscribes, and says in a
// sentence what the broker refused. No reconnects: a command that lost its broker ends.
import { connect as openSocket, type Socket } from 'node:net'
import { generate, type IConnackPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { word } from '../../broker/options/index.ts'
import { Failure, systemCode } from './failure.ts'

const CONNECT_TIMEOUT_MS = 5000
const KEEP_ALIVE_SECONDS = 30
const VERSION = { protocolVersion: 5 } as const

export const MQTT_URL_OPTION = word('mqtt://127.0.0.1:1883', 'The MQTT address of any node.', {
  pattern: /^mqtt:\/\/(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[1-9]\d{0,4})?\/?$/,
  allowed: 'an address like mqtt://127.0.0.1:1883'
})

export interface Received {
  readonly topic: string
  readonly payload: Uint8Array
}

export class MqttClient {
  /** Settles when the connection is gone: with null if `end` was called, else with what happened. */
  readonly closed: Promise<Failure | null>
  readonly #socket: Socket
  readonly #url: string
  readonly #waiting = new Map<string, { resolve(packet: Packet): void; reject(error: Failure): void }>()
  readonly #pinging: NodeJS.Timeout
  #onMessage: (message: Received) => void = () => {}
  #settleClosed: (reason: Failure | null) => void = () => {}
  #packetId = 0
  #ended: Failure | 'asked' | null = null

  private constructor(socket: Socket, url: string) {
    this.#socket = socket
    this.#url = url
    this.closed = new Promise(resolve => {
      this.#settleClosed = resolve
    })
    const packets = parser(VERSION)
    packets.on('packet', (packet: Packet) => this.#received(packet))
    packets.on('error', () => this.#fail(new Failure(`${url} does not speak MQTT.`)))
    socket.on('data', chunk => packets.parse(chunk))
    socket.on('error', error => this.#fail(unreachable(url, error)))
    socket.on('close', () => this.#closed())
    this.#pinging = setInterval(() => this.#send({ cmd: 'pingreq' }), (KEEP_ALIVE_SECONDS * 1000) / 2)
    this.#pinging.unref()
  }

  /** Settles when the broker has let us in. Throws `Failure`. */
  static async connect(url: string): Promise<MqttClient> {
    const { hostname, port } = new URL(url)
    const socket = openSocket({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port || 1883),
      noDelay: true
    })
    const client = new MqttClient(socket, url)
    const timer = setTimeout(
      () => client.#fail(new Failure(`No answer from ${url} in ${CONNECT_TIMEOUT_MS / 1000} s.`)),
      CONNECT_TIMEOUT_MS
    )
    const answer = client.#answerTo('connack')
    const keepalive = KEEP_ALIVE_SECONDS
    client.#send({ cmd: 'connect', protocolId: 'MQTT', ...VERSION, clean: true, clientId: '', keepalive })
    try {
      client.#check((await answer) as IConnackPacket, 'the connection')
      return client
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** QoS 0 settles when the node has read it (it answers a ping sent after it), QoS 1 when it acknowledges. Throws `Failure`. */
  async publish(topic: string, payload: string, qos: 0 | 1, retain: boolean): Promise<void> {
    const messageId = this.#nextPacketId()
    const answer = this.#answerTo(qos === 0 ? 'pingresp' : `puback ${messageId}`)
    this.#send({ cmd: 'publish', topic, payload, qos, retain, dup: false, messageId })
    if (qos === 0) this.#send({ cmd: 'pingreq' })
    this.#check(await answer, 'the message')
  }

  /** Settles when the broker has the subscriptions; messages may come before. Throws `Failure`. */
  async subscribe(
    filters: readonly string[],
    qos: 0 | 1,
    onMessage: (message: Received) => void
  ): Promise<void> {
    this.#onMessage = onMessage
    const messageId = this.#nextPacketId()
    const answer = this.#answerTo(`suback ${messageId}`)
    const subscriptions = filters.map(topic => ({ topic, qos, nl: false, rap: false, rh: 0 }))
    this.#send({ cmd: 'subscribe', messageId, subscriptions })
    const { granted } = (await answer) as Extract<Packet, { cmd: 'suback' }>
    const refused = granted.findIndex(code => typeof code === 'number' && code >= 0x80)
    if (refused >= 0) throw this.#refusal(`the subscription to ${filters[refused]}`, Number(granted[refused]))
  }

  /** Says goodbye; settles when the last bytes have left and the connection is gone. Throws `Failure` if the broker objects. */
  async end(): Promise<void> {
    this.#ended ??= 'asked'
    this.#send({ cmd: 'disconnect', reasonCode: 0 })
    this.#socket.end()
    const timer = setTimeout(() => this.#socket.destroy(), CONNECT_TIMEOUT_MS)
    const reason = await this.closed
    clearTimeout(timer)
    if (reason !== null) throw reason
  }

  #received(packet: Packet): void {
    if (packet.cmd === 'publish') return this.#deliver(packet)
    if (packet.cmd === 'disconnect') {
      // Also after our own goodbye: this may be about the message before it.
      this.#ended = new Failure(`${this.#url} ended the connection: ${reasonOf(packet.reasonCode ?? 0)}.`)
      this.#socket.destroy()
      return
    }
    const key = packet.messageId === undefined ? packet.cmd : `${packet.cmd} ${packet.messageId}`
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    waiting?.resolve(packet)
  }

  #deliver(packet: IPublishPacket): void {
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
    if (this.#ended === null) this.#onMessage({ topic: packet.topic, payload })
    if (packet.qos === 1 && packet.messageId !== undefined) {
      this.#send({ cmd: 'puback', messageId: packet.messageId, reasonCode: 0 })
    }
  }

  #send(packet: Packet): void {
    if (this.#socket.writable) this.#socket.write(generate(packet, VERSION))
  }

  #answerTo(key: string): Promise<Packet> {
    return new Promise((resolve, reject) => {
      if (this.#ended instanceof Failure) reject(this.#ended)
      else this.#waiting.set(key, { resolve, reject })
    })
  }

  #check(packet: Packet & { reasonCode?: number; returnCode?: number }, what: string): void {
    const code = packet.reasonCode ?? packet.returnCode ?? 0
    if (code >= 0x80) throw this.#refusal(what, code)
  }

  #refusal(what: string, code: number): Failure {
    return new Failure(`${this.#url} refused ${what}: ${reasonOf(code)}.`)
  }

  #fail(reason: Failure): void {
    this.#ended ??= reason
    this.#socket.destroy()
  }

  #closed(): void {
    clearInterval(this.#pinging)
    this.#ended ??= new Failure(`${this.#url} closed the connection.`)
    const reason = this.#ended === 'asked' ? null : this.#ended
    for (const { reject } of this.#waiting.values())
      reject(reason ?? new Failure('The connection was closed.'))
    this.#waiting.clear()
    this.#settleClosed(reason)
  }

  #nextPacketId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1
    return this.#packetId
  }
}

function unreachable(url: string, error: Error): Failure {
  const code = systemCode(error) ?? 'no connection'
  return new Failure(
    `Cannot reach ${url} (${code}). Is a node running there? --url takes another address.`,
    1,
    error
  )
}

function reasonOf(code: number): string {
  return `${REASONS[code] ?? 'no reason that this client knows'} (0x${code.toString(16).padStart(2, '0')})`
}

/** What the reason codes of MQTT 5 mean that a broker may send to this client. */
const REASONS: Readonly<Record<number, string>> = {
  128: 'unspecified error',
  130: 'protocol error',
  131: 'the node had an error of its own',
  133: 'client id not valid',
  134: 'bad user name or password',
  135: 'not authorised',
  136: 'the node is not ready',
  137: 'the node is busy',
  139: 'the node stops',
  141: 'keep-alive timeout',
  142: 'the session was taken over',
  143: 'not a valid topic filter',
  144: 'not a valid topic name',
  149: 'the packet is larger than allowed',
  151: 'a quota is exceeded',
  152: 'ended by an administrator',
  155: 'QoS not supported',
  158: 'shared subscriptions are not supported',
  161: 'subscription identifiers are not supported',
  162: 'wildcard subscriptions are not supported'
}
