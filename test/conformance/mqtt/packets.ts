// MQTT packets made by hand, so that wrong ones can be made as well, and read without the product's own codec.
// The idea: a packet is its first byte and parts of a body; nothing here checks what it is given.
// Source: MQTT 3.1.1, chapters 2 and 3.

export const CONNACK = 2
export const PUBLISH = 3
export const PUBACK = 4
export const PUBREC = 5
export const PUBREL = 6
export const PUBCOMP = 7
export const SUBACK = 9
export const UNSUBACK = 11
export const PINGRESP = 13

/** A packet as it came. */
export interface Received {
  readonly type: number
  readonly flags: number
  readonly body: Buffer
}

/** A PUBLISH as it came. `id` is 0 at QoS 0. */
export interface Message {
  readonly topic: string
  readonly payload: string
  readonly qos: number
  readonly dup: boolean
  readonly retain: boolean
  readonly id: number
}

/** CONNECT's fields. What is not given is right: a clean session of 3.1.1 without will, user and keep-alive. */
export interface ConnectFields {
  readonly name?: string
  readonly level?: number
  /** Instead of the flags that the other fields make. */
  readonly flags?: number
  readonly keepAlive?: number
  readonly clean?: boolean
  readonly id?: string | Buffer
  readonly will?: {
    readonly topic: string | Buffer
    readonly payload: string
    readonly qos?: number
    readonly retain?: boolean
  }
  readonly user?: string | Buffer
  readonly password?: string | Buffer
}

export interface PublishFields {
  readonly qos?: number
  readonly retain?: boolean
  readonly dup?: boolean
  readonly id?: number
}

export const PINGREQ = Buffer.from([0xc0, 0])
export const DISCONNECT = Buffer.from([0xe0, 0])

/** A packet with the remaining length that its parts make. */
export function packet(first: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length: number[] = []
  let rest = body.length
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
    rest >>>= 7
  } while (rest > 0)
  return Buffer.concat([Buffer.from([first, ...length]), body])
}

export function bytes(...values: number[]): Buffer {
  return Buffer.from(values)
}

export function uint16(value: number): Buffer {
  return Buffer.from([value >>> 8, value & 0xff])
}

/** Length and bytes of a string; a Buffer goes as it is, well-formed or not. */
export function text(value: string | Buffer): Buffer {
  const content = Buffer.from(value)
  return Buffer.concat([uint16(content.length), content])
}

/** CONNECT's flags as the fields make them. */
export function connectFlags({ clean = true, will, user, password }: ConnectFields): number {
  const willFlags = will === undefined ? 0 : 0x04 | ((will.qos ?? 0) << 3) | (will.retain === true ? 0x20 : 0)
  return (
    (clean ? 0x02 : 0) | willFlags | (user === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40)
  )
}

export function connect(fields: ConnectFields): Buffer {
  const { name = 'MQTT', level = 4, keepAlive = 0, id = '', will, user, password } = fields
  const flags = fields.flags ?? connectFlags(fields)
  const parts = [text(name), bytes(level, flags), uint16(keepAlive), text(id)]
  if (will !== undefined) parts.push(text(will.topic), text(will.payload))
  if (user !== undefined) parts.push(text(user))
  if (password !== undefined) parts.push(text(password))
  return packet(0x10, ...parts)
}

export function publish(
  topic: string | Buffer,
  payload: string | Buffer,
  { qos = 0, retain = false, dup = false, id = 1 }: PublishFields = {}
): Buffer {
  const first = 0x30 | (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0)
  return packet(first, text(topic), ...(qos === 0 ? [] : [uint16(id)]), Buffer.from(payload))
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function acknowledgement(type: number, id: number): Buffer {
  return packet((type << 4) | (type === PUBREL ? 2 : 0), uint16(id))
}

export function subscribe(id: number, ...filters: readonly (readonly [string | Buffer, number])[]): Buffer {
  return packet(0x82, uint16(id), ...filters.flatMap(([filter, qos]) => [text(filter), bytes(qos)]))
}

export function unsubscribe(id: number, ...filters: readonly (string | Buffer)[]): Buffer {
  return packet(0xa2, uint16(id), ...filters.map(text))
}

/** The first packet of the bytes and where it ends; null if it is not whole. */
export function readPacket(input: Buffer): { received: Received; end: number } | null {
  let length = 0
  for (let at = 1; at < input.length && at <= 4; at++) {
    const byte = input[at]!
    length |= (byte & 0x7f) << (7 * (at - 1))
    if (byte > 0x7f) continue
    const end = at + 1 + length
    if (end > input.length) return null
    const received = { type: input[0]! >>> 4, flags: input[0]! & 0x0f, body: input.subarray(at + 1, end) }
    return { received, end }
  }
  return null
}

/** What a PUBLISH of 3.1.1 says. */
export function readMessage({ flags, body }: Received): Message {
  const qos = (flags >>> 1) & 3
  const topicEnd = 2 + body.readUInt16BE(0)
  const idEnd = topicEnd + (qos === 0 ? 0 : 2)
  return {
    topic: body.toString('utf8', 2, topicEnd),
    payload: body.toString('utf8', idEnd),
    qos,
    dup: (flags & 8) !== 0,
    retain: (flags & 1) !== 0,
    id: qos === 0 ? 0 : body.readUInt16BE(topicEnd)
  }
}

/** A packet in a failure's text. */
export function describe({ type, flags, body }: Received): string {
  return `type ${type}, flags ${flags}, body ${body.subarray(0, 40).toString('hex')}`
}
