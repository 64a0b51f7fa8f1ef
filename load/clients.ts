// Which client speaks to which address, and with which publishes.
import { addressOf } from './addresses.ts'
import type { Row } from './board.ts'
import type { ClientEvents, LoadClient, PublishRing, Qos } from './client.ts'
import { HttpClient } from './http/client.ts'
import { HttpPublishRing } from './http/ring.ts'
import type { Intake } from './intake.ts'
import { MqttClient } from './mqtt/client.ts'
import { MqttPublishRing } from './mqtt/packets.ts'
import type { LoadOptions } from './options.ts'
import type { StampKind } from './stamp.ts'
import { WebSocketClient } from './websocket/client.ts'
import { WebSocketPublishRing } from './websocket/ring.ts'

/** A handshake that takes longer has failed. */
const HANDSHAKE_TIMEOUT_MS = 30_000

/** A client that is not connected yet. `stamp` is how the payloads of the run are stamped. */
export function createClient(
  { url, clientId, publish }: { url: string; clientId: string; publish?: { qos: Qos } },
  options: LoadOptions,
  stamp: StampKind,
  intake: Intake,
  row: Row,
  events: ClientEvents
): LoadClient {
  const common = { url, clientId, timeoutMs: HANDSHAKE_TIMEOUT_MS }
  const { spoken } = addressOf(url)
  if (spoken === 'browser') return new WebSocketClient(common, intake, row, events)
  if (spoken === 'http') return new HttpClient({ ...common, qos: publish?.qos ?? 0 }, intake, row, events)
  const { username, password, protocol } = options
  const framed = spoken === 'framed-mqtt'
  const mqtt = { ...common, framed, version: protocol, stamp, credentials: { username, password } }
  return new MqttClient(mqtt, intake, row, events)
}

/** What a ring is made of. */
export interface RingShape {
  topics: readonly string[]
  firstStream: number
  qos: Qos
  payloadBytes: number
}

/** Ready publishes for a client of `url`, at most `batch` a write. */
export function createRing(
  url: string,
  { topics, firstStream, qos, payloadBytes }: RingShape,
  { protocol }: LoadOptions,
  stamp: StampKind,
  batch: number
): PublishRing {
  const { spoken } = addressOf(url)
  if (spoken === 'browser') return new WebSocketPublishRing(topics, firstStream, { payloadBytes, qos, batch })
  if (spoken === 'http') return new HttpPublishRing(topics, firstStream, { payloadBytes, qos, batch })
  return new MqttPublishRing(topics, firstStream, { payloadBytes, qos, version: protocol, batch, stamp })
}
