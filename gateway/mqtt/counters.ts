// What the MQTT gateway counts, for status and metrics: plain integers, incremented in place.

export interface MqttCounters {
  /** Connections now, and since the start. */
  connections: number
  accepted: number
  /** Closed as they were accepted, at `connectionsMax`. */
  refused: number
  /** CONNECT packets that were refused. */
  connectsRefused: number
  /** PUBLISH packets from clients, and to clients. */
  messagesIn: number
  messagesOut: number
  /** QoS 0 messages dropped for a client whose outbox or queue was full. */
  dropped: number
  /** Messages larger than a client's Maximum Packet Size. */
  droppedTooLarge: number
  /** Connections closed because QoS 1 messages waiting for them reached a limit (0x97). */
  overflowed: number
  /** Connections closed for what the client sent (malformed, protocol error, limits). */
  faults: number
  /** Connections closed by keep-alive, before CONNECT, or because they took no output. */
  timedOut: number
  takenOver: number
  willsPublished: number
}

export function newCounters(): MqttCounters {
  return {
    connections: 0,
    accepted: 0,
    refused: 0,
    connectsRefused: 0,
    messagesIn: 0,
    messagesOut: 0,
    dropped: 0,
    droppedTooLarge: 0,
    overflowed: 0,
    faults: 0,
    timedOut: 0,
    takenOver: 0,
    willsPublished: 0
  }
}
