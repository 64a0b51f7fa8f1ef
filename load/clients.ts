// Which client speaks to which address: MQTT for mqtt:// and mqtts://, the browser protocol for ws:// and wss://.
import { speaksWebSocket } from './addresses.ts'
import type { Row } from './board.ts'
import type { ClientEvents, LoadClient, PublishRing } from './client.ts'
import type { Intake } from './intake.ts'
import { MqttClient } from './mqtt/client.ts'
import { MqttPublishRing } from './mqtt/packets.ts'
import type { LoadOptions } from './options.ts'
import { WebSocketClient } from './websocket/client.ts'
import { WebSocketPublishRing } from './websocket/ring.ts'

/** A handshake that takes longer has failed. */
const HANDSHAKE_TIMEOUT_MS = 30_000

/** A client that is not connected yet. */
export function createClient(
  { url, clientId }: { url: string; clientId: string },
  options: LoadOptions,
  intake: Intake,
  row: Row,
  events: ClientEvents
): LoadClient {
  const common = { url: new URL(url), clientId, timeoutMs: HANDSHAKE_TIMEOUT_MS }
  if (speaksWebSocket(url)) return new WebSocketClient(common, intake, row, events)
  const { username, password, protocol, stamp } = options
  const mqtt = { ...common, version: protocol, stamp, credentials: { username, password } }
  return new MqttClient(mqtt, intake, row, events)
}

/** Ready publishes for a client of `url`, at most `batch` a write. */
export function createRing(
  url: string,
  { topics, firstStream }: { topics: readonly string[]; firstStream: number },
  { payloadBytes, qos, protocol, stamp }: LoadOptions,
  batch: number
): PublishRing {
  if (speaksWebSocket(url)) return new WebSocketPublishRing(topics, firstStream, { payloadBytes, qos, batch })
  return new MqttPublishRing(topics, firstStream, { payloadBytes, qos, version: protocol, batch, stamp })
}
