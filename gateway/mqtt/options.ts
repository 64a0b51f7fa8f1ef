// What an operator may set of the MQTT gateway, and what holds when nothing is said. Every number is
// a bound on memory or time that one client, or all of them, can take.

export interface MqttOptions {
  /** Most connections of this gateway at once; more are closed as they are accepted. */
  connectionsMax: number
  /**
   * Largest packet taken from a client, in bytes, fixed header included, 128..`MESSAGE_BYTES_MAX`. v5: Maximum Packet
   * Size of CONNACK.
   */
  packetBytesMax: number
  /**
   * Most publishes of QoS 1 of one client that are not yet acknowledged, 1..65,535. v5: Receive Maximum of CONNACK,
   * and a client that exceeds it is disconnected (0x93). 3.1.1: reading from the client pauses there.
   */
  receiveMaximum: number
  /** Most messages of QoS 1 sent to one client and not acknowledged, 1..65,535. v5: or the client's Receive Maximum. */
  inflightMax: number
  /** Output that may wait for one client's socket, in bytes. Beyond it messages of QoS 0 are dropped; QoS 1 are queued. */
  outboxBytesMax: number
  /**
   * Messages that may wait for one client's in-flight window or outbox: count and bytes. Beyond either, a message of
   * QoS 0 is dropped, and one of QoS 1 closes the connection (0x97): dropping it in silence would break the promise
   * that its publisher has been given.
   */
  queueMax: number
  queueBytesMax: number
  /** Most subscriptions of one connection; more are refused (0x97). */
  subscriptionsMax: number
  /** Longest client id in bytes. */
  clientIdBytesMax: number
  /** Longest keep-alive in seconds; v5: a client that asks for more, or for none, is told this (Server Keep Alive). */
  keepAliveMaxSeconds: number
  /** A connection without a whole CONNECT packet is closed after it. */
  connectTimeoutMs: number
  /** A connection that takes none of the output waiting for it is closed after it. */
  stallTimeoutMs: number
  /** How long a closed connection may take for its last bytes before its socket is destroyed. */
  lingerMs: number
  /** Needed to listen on other than loopback addresses: clients need no credentials in this version. */
  allowAnonymous: boolean
}

export const MQTT_DEFAULTS: Readonly<MqttOptions> = {
  connectionsMax: 100_000,
  packetBytesMax: 1_048_576,
  receiveMaximum: 1_024,
  inflightMax: 1_024,
  outboxBytesMax: 4_194_304,
  queueMax: 65_536,
  queueBytesMax: 8_388_608,
  subscriptionsMax: 10_000,
  clientIdBytesMax: 1_024,
  keepAliveMaxSeconds: 65_535,
  connectTimeoutMs: 10_000,
  stallTimeoutMs: 60_000,
  lingerMs: 2_000,
  allowAnonymous: false
}
