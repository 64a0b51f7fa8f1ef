// A normative statement as data: its number, what it says in short, and how it is tried, or why it cannot be.
import type { Client } from './client.ts'
import type { ConnectFields } from './packets.ts'

export type Version = '3.1.1' | '5.0'

/** What a statement's test has of the broker. Each client that it opens is at the next of the target's nodes. */
export interface Trial {
  /** A connection without CONNECT. */
  open(): Promise<Client>
  /** A client that has its CONNACK, by default with an id of its own. */
  connect(fields?: ConnectFields): Promise<Client>
  /** A topic, or client id, of this test alone. Ids have 23 bytes at most. */
  topic(): string
  id(): string
  /** The address of the next node. */
  url(): string
}

export type Test = (trial: Trial) => Promise<void>

export interface Statement {
  /** As in `[MQTT-3.1.0-1]`, without `MQTT-`. */
  readonly id: string
  readonly text: string
  readonly proof: Test | string
  /** Only of WebSocket. */
  readonly webSocketOnly?: boolean
}

/** A statement with its test. */
export function tested(id: string, text: string, proof: Test): Statement {
  return { id, text, proof }
}

/** One that no test of a server can show, and why. */
export function untestable(id: string, text: string, why: string): Statement {
  return { id, text, proof: why }
}

/** One about WebSocket. */
export function ofWebSocket(id: string, text: string, proof: Test): Statement {
  return { id, text, proof, webSocketOnly: true }
}

/** Why a statement about clients has no test here. */
export const BINDS_CLIENTS = 'binds clients; a server cannot keep or break it'

/** The order of the specification. */
export function byNumber(a: Statement, b: Statement): number {
  return a.id.localeCompare(b.id, 'en', { numeric: true })
}
