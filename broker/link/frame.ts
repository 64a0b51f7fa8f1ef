// The wire protocol of a link: what each frame is called and holds. Frames follow each other without
// padding, in both directions alike; a frame is a length, a type, and a body.
//
//    0        1        2        3        4                    4 + length
//   ┌────────┬────────┬────────┬────────┬──────────── ─ ─ ─ ─┐
//   │ length of the body, u24 │  type  │ body                │      header = u32 LE: length | type << 24
//   └────────┴────────┴────────┴────────┴──────────── ─ ─ ─ ─┘
//
//   Below: `n` is a varint (varint.ts; at most 2^53-1), `u8` a byte, `str` is n bytes of UTF-8 with n before
//   them, `value` one MessagePack value up to the end of the body, `...` bytes up to the end of the body.
//
// Handshake: nothing else before it. The dialler speaks first; the link is open for the dialler when it sends
// READY, for the other when it receives it. Either may send REFUSE instead of its next step, and closes. The second and
// third step are between nodes with cluster keys.
//
//     dialler ── HELLO ──▶             HELLO      'shoal' u8:version value{ring, id, instance, expect, attempt, standing,
//             ◀── CHALLENGE ──                      frameBytesMax, topicsMax, streamBytes, streamObjects, [keys, nonce]}
//             ── PROOF ──▶             CHALLENGE  4 bytes: id of the key, 32 bytes: nonce
//             ◀── PROOF, HELLO ──      PROOF      32 bytes: key-proof.ts
//             ── READY ──▶             READY      (empty)
//                                      REFUSE     value{reason, ours, theirs, id}
//
//   expect    the id that was dialled, null if any will do        attempt  numbers the HELLOs of a process
//   standing  the `attempt` of the link that the sender has open with the receiver's instance; 0 if none.
//   keys      ids of the sender's cluster keys, with commas      nonce    32 random bytes for the proof
//   The four before these are the sender's limits for what it receives.
//
// Keeping and ending:
//     HEARTBEAT (empty): sent when nothing else was for a period.     GOODBYE (empty): the last frame; no error.
//
// Data plane. A topic or an origin is named once (DEFINE_*), then a small integer; each direction has its own
// dictionaries. The epoch belongs to the definition of a topic: a change of epoch defines it anew.
//
//     DEFINE_TOPIC   n:ref n:epoch ...name
//     DEFINE_ORIGIN  n:ref ...instance
//
//     PUBLISH        u8:flags n:topic            [n:origin] [n:sequence] [n:length properties] ...payload
//     DELIVER        u8:flags n:topic n:offset   [n:origin] [n:sequence] [n:length properties] ...payload
//
//        flags   7   6   5      4   3      2        1   0
//              ┌───────┬───┬─────────┬────────┬───────────┐     origin  0 none (then no sequence)
//              │origin │prp│  hops   │ retain │    QoS    │             1 the sender's instance
//              └───────┴───┴─────────┴────────┴───────────┘             2 the receiver's instance
//                                                                       3 named by n:origin
//
//     PUBLISH_RUN    u8:flags n:topic            [n:origin] [n:sequence] n:count ...packets
//     DELIVER_RUN    u8:flags n:topic n:offset   [n:origin] [n:sequence] n:count ...packets
//
//        A run (run.ts): `count` >= 2 PUBLISH packets of the topic and the QoS, with the ids their publisher gave them. In
//        its flags bit 2 says MQTT 5, else 3.1.1, and bit 5 is 0. Sequences and offsets count its messages; the frame
//        has those of the first. In the row of deliveries it is one.
//
//     BARRIER        (empty)
//     PUBLISH_ACK    n:origin u8:reason n:first n:last-first      origin 0 the sender's, 1 the receiver's, else ref + 2
//     DELIVER_ACK    n:count
//
// Requests. `id` counts up for each side. `streams` = n:count, then for each n:stream u8:kind str:name.
//
//     REQUEST        n:id str:name streams value        kind  bit 0  the sender will write DATA
//     FIRE           str:name value                           bit 1  the receiver may write DATA
//     REPLY          n:id streams value                       bit 2  the sender's are objects
//     FAILURE        n:id value{code, fields}                 bit 3  the receiver's are objects
//
// Streams, named by an integer that the opener chose: odd if it dialled, else even, each higher than the last.
//
//     STREAM_DATA    n:stream ...bytes | value          spends as many credits as bytes, or one if an object
//     STREAM_END     n:stream                           the sender of it will write no more
//     STREAM_ABORT   n:stream str:reason                both directions are over, at once
//     STREAM_CREDIT  n:stream n:credits                 the sender of it has room for so many more
//                    n:stream n:0 n:total               ... reads no more than all that it has got so far

export const FRAME = {
  HELLO: 0x01,
  READY: 0x02,
  REFUSE: 0x03,
  HEARTBEAT: 0x04,
  GOODBYE: 0x05,
  CHALLENGE: 0x06,
  PROOF: 0x07,
  DEFINE_TOPIC: 0x10,
  DEFINE_ORIGIN: 0x11,
  PUBLISH: 0x12,
  DELIVER: 0x13,
  BARRIER: 0x14,
  PUBLISH_ACK: 0x15,
  DELIVER_ACK: 0x16,
  PUBLISH_RUN: 0x17,
  DELIVER_RUN: 0x18,
  REQUEST: 0x20,
  FIRE: 0x21,
  REPLY: 0x22,
  FAILURE: 0x23,
  STREAM_DATA: 0x30,
  STREAM_END: 0x31,
  STREAM_ABORT: 0x32,
  STREAM_CREDIT: 0x33
} as const

/** The flags of PUBLISH and DELIVER, and of their runs; QoS is in the two lowest bits. */
export const FLAGS = {
  QOS: 0b11,
  RETAIN: 1 << 2,
  /** Of a run: its packets are MQTT 5. */
  VERSION_5: 1 << 2,
  HOPS_SHIFT: 3,
  HOPS: 0b11,
  PROPERTIES: 1 << 5,
  ORIGIN_SHIFT: 6
} as const

/** The two highest flags. */
export const ORIGIN = { NONE: 0, SENDER: 1, RECEIVER: 2, NAMED: 3 } as const

/** Instances that a link names in one direction; there is one for each node that publishes. */
export const ORIGINS_MAX = 4096

export const PROTOCOL_VERSION = 2

export const HEADER_BYTES = 4

/** The longest body that the header can tell. */
export const FRAME_BYTES_MAX = 2 ** 24 - 1

/** The least limit that a side may set: the longest topic name, and the requests that name one, always fit. */
export const FRAME_BYTES_LEAST = 131_072

/** The longest body before the handshake is done: all that a stranger can make us hold. */
export const HELLO_BYTES_MAX = 4096

/** The longest name of a request or a stream, in bytes of UTF-8. */
export const NAME_BYTES_MAX = 1024
