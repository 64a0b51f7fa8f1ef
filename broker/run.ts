// Runs: PUBLISH packets of one topic, one QoS and one MQTT version that lie back to back travel as one message,
// from the client's chunk to the subscribers' sockets. What a packet costs is then what it takes to look at it.
// This file knows how such packets lie. It is also how a node checks what another calls a run.
//
//   ┌──────┬─────────┬────────┬───────┬────────────┬─────────────────┬─────────┬──────┬── ─ ─
//   │ head │ length  │ length │ topic │ id (QoS>0) │ 0: no properties│ payload │ head │ …
//   │      │ 1-2     │ 2      │       │ 2          │ (v5 only)       │         │      │
//   └──────┴─────────┴────────┴───────┴────────────┴─────────────────┴─────────┴──────┴── ─ ─
//
// Source: MQTT 5.0, 2.1 and 3.3; MQTT 3.1.1, 2.2 and 3.3.

/** The versions whose packets differ, as CONNECT's protocol level says them. */
export type PacketVersion = 4 | 5

/** Messages of one run at most: what a node cannot take apart any more is no larger than this. */
export const RUN_MESSAGES_MAX = 256
/** Bytes of a run at most, so that a frame of a link stays small, and what waits can be counted in runs. */
export const RUN_BYTES_MAX = 32_768

/** How many packets of a run there are, and where they end. Reused from run to run. */
export class RunView {
  count = 0
  end = 0

  /**
   * Counts the packets from `at` on that make one run: whole before `limit`, of at most `packetBytesMax` bytes, each
   * with `head` as its first byte and `topic` as its topic, an id if it has QoS, no properties, its length in at most
   * two bytes and no more than it needs. Stops at the first that does not, or at `countMax`.
   */
  read(
    buffer: Uint8Array,
    at: number,
    limit: number,
    head: number,
    topic: Uint8Array,
    version: PacketVersion,
    countMax: number,
    packetBytesMax: number
  ): void {
    const nameBytes = 2 + topic.length
    const idBytes = (head & 6) === 0 ? 0 : 2
    const bodyBytesMin = nameBytes + idBytes + (version === 5 ? 1 : 0)
    let count = 0
    // Where the name stands in the packet before, and a view for it to be compared from, once there is one.
    let before = 0
    let words: DataView | null = null
    while (count < countMax && limit - at >= 2 + bodyBytesMin && buffer[at] === head) {
      let start = at + 2
      let length = buffer[at + 1]!
      if (length > 127) {
        const high = buffer[start++]!
        if (high === 0 || high > 127) break
        length += (high - 1) << 7
      }
      const end = start + length
      if (length < bodyBytesMin || end > limit || end - at > packetBytesMax) break
      if (words === null || !isSame(words, start, before, nameBytes)) {
        if ((buffer[start]! << 8) + buffer[start + 1]! !== topic.length) break
        let left = topic.length
        while (left > 0 && buffer[start + 1 + left] === topic[left - 1]) left--
        if (left > 0) break
        words ??= new DataView(buffer.buffer, buffer.byteOffset, buffer.length)
      }
      const rest = start + nameBytes
      if (idBytes !== 0 && buffer[rest] === 0 && buffer[rest + 1] === 0) break
      if (version === 5 && buffer[rest + idBytes] !== 0) break
      before = start
      at = end
      count++
    }
    this.count = count
    this.end = at
  }
}

/**
 * Whether `bytes` bytes at `a` and at `b` are the same: eight at a time, as doubles, since a loop over bytes is three
 * times as long. False also for what doubles cannot tell: less than eight bytes, and bits that are no number. Those at
 * `b` are a topic with its length, which has no zero bytes, so that they are never 0 and -0.
 */
function isSame(view: DataView, a: number, b: number, bytes: number): boolean {
  const last = bytes - 8
  if (last < 0) return false
  for (let i = 0; i < last; i += 8)
    if (view.getFloat64(a + i, true) !== view.getFloat64(b + i, true)) return false
  return view.getFloat64(a + last, true) === view.getFloat64(b + last, true)
}

/** Where the packet that begins at `at` ends; it is valid, and whole. */
export function packetEnd(buffer: Uint8Array, at: number): number {
  const length = buffer[at + 1]!
  if (length < 128) return at + 2 + length
  let rest = length & 127
  let shift = 7
  for (let next = at + 2; ; next++) {
    const byte = buffer[next]!
    rest += (byte & 127) << shift
    if (byte < 128) return next + 1 + rest
    shift += 7
  }
}

/** Where the length of the topic stands in the PUBLISH at `at`; it is valid, and whole. */
export function topicPlace(buffer: Uint8Array, at: number): number {
  let next = at + 1
  while (buffer[next]! > 127) next++
  return next + 1
}

/** What stands behind the topic of the PUBLISH at `at`: its id at QoS 1 and 2, else v5's properties, else the payload. */
export function behindTopic(buffer: Uint8Array, at: number): number {
  const place = topicPlace(buffer, at)
  return place + 2 + (buffer[place]! << 8) + buffer[place + 1]!
}
