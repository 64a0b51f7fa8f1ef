// Payloads, both ways: what a program publishes as fields of the protocol, and a received message.
import type { MessageFrame, PayloadFields } from './wire.ts'

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined }

/** A string is sent as it is, bytes as they are, and any other value as its JSON text. */
export type Payload = string | Uint8Array | JsonValue

export function fieldsOf(payload: Payload): PayloadFields {
  if (typeof payload === 'string') return { text: payload }
  if (payload instanceof Uint8Array) return { base64: toBase64(payload) }
  return { json: payload }
}

/** A message of a subscription. */
export class Message {
  readonly topic: string
  /** Place in the topic's order, the same for all its subscribers: `epoch` counts first, then `offset`. */
  readonly epoch: number
  readonly offset: number
  /** True for what was retained before the subscription was made. */
  readonly retained: boolean
  readonly #text: string | undefined
  readonly #base64: string | undefined

  constructor(frame: MessageFrame) {
    this.topic = frame.m
    this.epoch = frame.e
    this.offset = frame.o
    this.retained = frame.r === 1
    this.#text = frame.p
    this.#base64 = frame.b
  }

  /** The payload as text; bytes that are not UTF-8 become U+FFFD. */
  get text(): string {
    return this.#text ?? new TextDecoder().decode(this.bytes)
  }

  get bytes(): Uint8Array {
    return this.#base64 === undefined ? new TextEncoder().encode(this.#text) : fromBase64(this.#base64)
  }

  /** The payload as JSON. Throws SyntaxError if it is not. */
  json<T = unknown>(): T {
    return JSON.parse(this.text) as T
  }
}

/** The engine's limit on arguments of a call is far above. */
const CHUNK = 8192

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let i = 0; i < bytes.length; i += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK))
  }
  return btoa(binary)
}

function fromBase64(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}
