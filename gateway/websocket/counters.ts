// What the web gateway counts, in place; read by the metrics of gateway/http.

export interface WebCounters {
  /** WebSockets open now, of browsers and of MQTT clients. */
  connections: number
  connectionsTotal: number
  /** Refused at the limit of connections, or for their origin. */
  connectionsRefused: number
  /** Closed for speaking something else than the protocol. */
  protocolErrors: number
  /** Closed for reading too slowly, and messages that these missed. */
  slowClosed: number
  messagesMissed: number
  /** Closed for publishing faster than the cluster takes. */
  overloadedClosed: number
  messagesIn: number
  messagesOut: number
  httpRequests: number
  httpRefused: number
}

export function newCounters(): WebCounters {
  return {
    connections: 0,
    connectionsTotal: 0,
    connectionsRefused: 0,
    protocolErrors: 0,
    slowClosed: 0,
    messagesMissed: 0,
    overloadedClosed: 0,
    messagesIn: 0,
    messagesOut: 0,
    httpRequests: 0,
    httpRefused: 0
  }
}
