// The reason codes of MQTT 5 that this gateway sends or understands, and their likeness in 3.1.1.
// Source: MQTT 5.0, 2.4; MQTT 3.1.1, 3.2.2.3.

export const SUCCESS = 0x00
export const NO_MATCHING_SUBSCRIBERS = 0x10
export const NO_SUBSCRIPTION_EXISTED = 0x11
export const DISCONNECT_WITH_WILL = 0x04
export const UNSPECIFIED = 0x80
export const MALFORMED_PACKET = 0x81
export const PROTOCOL_ERROR = 0x82
export const IMPLEMENTATION_SPECIFIC = 0x83
export const UNSUPPORTED_VERSION = 0x84
export const CLIENT_ID_INVALID = 0x85
export const NOT_AUTHORISED = 0x87
export const SERVER_UNAVAILABLE = 0x88
export const SERVER_BUSY = 0x89
export const SERVER_SHUTTING_DOWN = 0x8b
export const BAD_AUTHENTICATION_METHOD = 0x8c
export const KEEP_ALIVE_TIMEOUT = 0x8d
export const SESSION_TAKEN_OVER = 0x8e
export const TOPIC_FILTER_INVALID = 0x8f
export const TOPIC_NAME_INVALID = 0x90
export const IDENTIFIER_NOT_FOUND = 0x92
export const RECEIVE_MAXIMUM_EXCEEDED = 0x93
export const TOPIC_ALIAS_INVALID = 0x94
export const PACKET_TOO_LARGE = 0x95
export const QUOTA_EXCEEDED = 0x97
export const SHARED_NOT_SUPPORTED = 0x9e

/** What a v5 client may say in DISCONNECT. MQTT 5.0, table 3-10, column "sent by". */
export const CLIENT_DISCONNECTS: ReadonlySet<number> = new Set([
  0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99
])

/** The return code of a 3.1.1 CONNACK for a v5 reason; 0 if there is none and the connection is just closed. */
export function returnCode(reason: number): number {
  switch (reason) {
    case UNSUPPORTED_VERSION:
      return 1
    case CLIENT_ID_INVALID:
      return 2
    case SERVER_UNAVAILABLE:
    case SERVER_BUSY:
    case SERVER_SHUTTING_DOWN:
    case QUOTA_EXCEEDED:
      return 3
    case NOT_AUTHORISED:
      return 5
    default:
      return 0
  }
}
