// The addresses that a load may be given, and what is spoken there.

/** MQTT, MQTT over TLS, and the browser protocol without and with TLS. */
export const PROTOCOLS: readonly string[] = ['mqtt:', 'mqtts:', 'ws:', 'wss:']

export function speaksWebSocket(url: string): boolean {
  return url.startsWith('ws')
}
