// A broker of the plainest kind, on mqtt-packet, with faults on demand: what the load tool must notice.
import { createServer, type Server, type Socket } from 'node:net'
import { generate, type IPublishPacket, parser } from 'mqtt-packet'

export interface Faults {
  /** Leaves out the delivery of a message for which this is true. `index` counts deliveries from 0. */
  drop?: (index: number) => boolean
  duplicate?: (index: number) => boolean
  /** Holds a delivery back until after the next one. */
  delay?: (index: number) => boolean
  /** Cuts what it writes into pieces of this many bytes. */
  pieceBytes?: number
  /** CONNACK's code. */
  connectCode?: number
  /** Never answers SUBSCRIBE. */
  deaf?: boolean
  /** Never answers PUBREL. */
  endless?: boolean
  /** Closes the connection of the subscriber at this delivery. */
  hangUpAt?: number
  /** Closes each connection so long after it was let in. */
  hangUpAfterMs?: number
  /** Reason code of PUBACK and PUBREC (version 5). */
  publishReason?: number
}

interface Session {
  socket: Socket
  version: number
  filter: RegExp | undefined
  qos: 0 | 1 | 2
  packetId: number
  held: Buffer | undefined
}

export class FakeBroker {
  readonly #server: Server
  readonly #sessions = new Set<Session>()
  readonly #faults: Faults
  #deliveries = 0
  /** PUBACKs and PUBCOMPs that subscribers sent. */
  acknowledged = 0
  /** CONNECTs that came. */
  connects = 0

  private constructor(faults: Faults) {
    this.#faults = faults
    this.#server = createServer(socket => this.#serve(socket))
  }

  static async start(faults: Faults = {}): Promise<FakeBroker> {
    const broker = new FakeBroker(faults)
    await new Promise<void>(resolve => broker.#server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get url(): string {
    const address = this.#server.address()
    return `mqtt://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  }

  async close(): Promise<void> {
    for (const { socket } of this.#sessions) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  #serve(socket: Socket): void {
    const session: Session = { socket, version: 4, filter: undefined, qos: 0, packetId: 0, held: undefined }
    this.#sessions.add(session)
    socket.on('error', () => {})
    socket.on('close', () => this.#sessions.delete(session))
    const decoder = parser()
    socket.on('data', chunk => decoder.parse(chunk))
    decoder.on('packet', packet => {
      const reply = (answer: Parameters<typeof generate>[0]) =>
        this.#write(session, generate(answer, { protocolVersion: session.version }))
      if (packet.cmd === 'connect') {
        this.connects += 1
        session.version = packet.protocolVersion ?? 4
        const code = this.#faults.connectCode ?? 0
        reply({ cmd: 'connack', returnCode: code, reasonCode: code, sessionPresent: false })
        const { hangUpAfterMs } = this.#faults
        if (hangUpAfterMs !== undefined) setTimeout(() => socket.destroy(), hangUpAfterMs)
      } else if (packet.cmd === 'subscribe' && this.#faults.deaf !== true) {
        const { topic, qos } = packet.subscriptions[0]!
        session.filter = new RegExp(`^${topic.replaceAll('+', '[^/]+').replace('#', '.*')}$`)
        session.qos = qos
        reply({ cmd: 'suback', messageId: packet.messageId!, granted: [qos] })
      } else if (packet.cmd === 'publish') {
        const reasonCode = this.#faults.publishReason ?? 0
        if (packet.qos === 1) reply({ cmd: 'puback', messageId: packet.messageId!, reasonCode })
        if (packet.qos === 2) reply({ cmd: 'pubrec', messageId: packet.messageId!, reasonCode })
        for (const each of this.#sessions) if (each.filter?.test(packet.topic)) this.#deliver(each, packet)
      } else if (packet.cmd === 'pubrel') {
        if (this.#faults.endless !== true)
          reply({ cmd: 'pubcomp', messageId: packet.messageId!, reasonCode: 0 })
      } else if (packet.cmd === 'pubrec') {
        reply({ cmd: 'pubrel', messageId: packet.messageId!, reasonCode: 0 })
      } else if (packet.cmd === 'puback' || packet.cmd === 'pubcomp') {
        this.acknowledged += 1
      }
    })
  }

  #deliver(session: Session, { topic, payload, qos }: IPublishPacket): void {
    const index = this.#deliveries++
    const { drop, duplicate, delay, hangUpAt } = this.#faults
    if (hangUpAt === index) session.socket.destroy()
    if (drop?.(index)) return
    const level = qos < session.qos ? qos : session.qos
    session.packetId = (session.packetId % 65_535) + 1
    const bytes = generate(
      {
        cmd: 'publish',
        topic,
        payload,
        qos: level,
        dup: false,
        retain: false,
        messageId: session.packetId,
        ...(session.version === 5 ? { properties: { userProperties: { from: 'a fake broker' } } } : {})
      },
      { protocolVersion: session.version }
    )
    if (delay?.(index)) {
      session.held = bytes
      return
    }
    this.#write(session, bytes)
    if (duplicate?.(index)) this.#write(session, bytes)
    if (session.held !== undefined) this.#write(session, session.held)
    session.held = undefined
  }

  #write({ socket }: Session, bytes: Buffer): void {
    const piece = this.#faults.pieceBytes ?? bytes.length
    for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, at + piece))
  }
}
