// The addresses that a load may be given, and what is spoken there.
//
//   mqtt   mqtts      MQTT over TCP, over TLS
//   mqtt+ws  mqtt+wss MQTT in WebSocket frames
//   ws     wss        the JSON protocol of browsers
//   http   https      POST /publish; for publishers only

const PROTOCOLS = {
  'mqtt:': { spoken: 'mqtt', secure: false, port: 1883 },
  'mqtts:': { spoken: 'mqtt', secure: true, port: 8883 },
  'mqtt+ws:': { spoken: 'framed-mqtt', secure: false, port: 80 },
  'mqtt+wss:': { spoken: 'framed-mqtt', secure: true, port: 443 },
  'ws:': { spoken: 'browser', secure: false, port: 80 },
  'wss:': { spoken: 'browser', secure: true, port: 443 },
  'http:': { spoken: 'http', secure: false, port: 80 },
  'https:': { spoken: 'http', secure: true, port: 443 }
} as const

/** For error messages: what an address may begin with. */
export const PROTOCOLS_ALLOWED = 'mqtt://host:port, or with mqtts, mqtt+ws, mqtt+wss, ws, wss, http, https'

export type Spoken = (typeof PROTOCOLS)[keyof typeof PROTOCOLS]['spoken']

export interface Address {
  spoken: Spoken
  secure: boolean
  host: string
  port: number
}

/** Reads an address; undefined when it is none of ours. */
export function readAddress(url: string): Address | undefined {
  if (!URL.canParse(url)) return undefined
  const { protocol, hostname, port } = new URL(url)
  if (!Object.hasOwn(PROTOCOLS, protocol) || hostname === '') return undefined
  const known = PROTOCOLS[protocol as keyof typeof PROTOCOLS]
  return {
    spoken: known.spoken,
    secure: known.secure,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? known.port : Number(port)
  }
}

/** An address that was checked before. Throws `TypeError` for one that was not. */
export function addressOf(url: string): Address {
  const address = readAddress(url)
  if (address === undefined) throw new TypeError(`${url} is no address of a load`)
  return address
}

/** Whether payloads stand in JSON there, which carries text only. */
export function carriesText(url: string): boolean {
  const { spoken } = addressOf(url)
  return spoken === 'browser' || spoken === 'http'
}
