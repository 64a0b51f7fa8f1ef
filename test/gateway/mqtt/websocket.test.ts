// MQTT over WebSocket: the same connections, fed by another transport. [MQTT-6.0.0-1] .. [MQTT-6.0.0-4]
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { MqttGateway } from '../../../gateway/mqtt/index.ts'
import { listenWeb } from '../../../gateway/websocket/listener.ts'
import { eventually } from '../../support/eventually.ts'
import { FakeBroker } from '../../support/fake-broker.ts'

interface Web {
  broker: FakeBroker
  gateway: MqttGateway
  connect(options: IClientOptions): Promise<MqttClient>
}

async function web(t: TestContext): Promise<Web> {
  const broker = new FakeBroker()
  broker.record = false
  const gateway = new MqttGateway(broker, { lingerMs: 200 })
  const listener = await listenWeb(broker, { port: 0 }, transport => gateway.accept(transport))
  t.after(async () => {
    await gateway.close()
    await listener.close()
  })
  const connect = async (options: IClientOptions): Promise<MqttClient> => {
    const client = await connectAsync(`ws://127.0.0.1:${listener.address.port}`, {
      reconnectPeriod: 0,
      ...options
    })
    t.after(() => client.end(true))
    return client
  }
  return { broker, gateway, connect }
}

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT.js ${protocolVersion} over WebSocket sends 2,000 messages, each of which arrives once and in order`, async t => {
    const { connect, gateway, broker } = await web(t)
    const subscriber = await connect({ protocolVersion })
    await subscriber.subscribeAsync('t/+', { qos: 1 })
    const got: number[] = []
    subscriber.on('message', (_topic, payload) => got.push(payload.readUInt32BE()))
    const publisher = await connect({ protocolVersion })
    const payload = (i: number): Buffer => {
      const bytes = Buffer.alloc(i % 100 === 0 ? 100_000 : 50)
      bytes.writeUInt32BE(i)
      return bytes
    }
    const sent = Array.from({ length: 2000 }, (_, i) =>
      publisher.publishAsync(`t/${i % 3}`, payload(i), { qos: 1 })
    )
    await Promise.all(sent)
    await eventually('all messages', () => got.length === 2000)
    assert.deepEqual(
      got,
      Array.from({ length: 2000 }, (_, i) => i)
    )
    await publisher.endAsync()
    await eventually(
      'the publisher to be gone',
      () => gateway.connections.size === 1 && broker.holders.size === 1
    )
  })
}

test('a newer client over WebSocket takes the id of an older one', async t => {
  const { connect, gateway } = await web(t)
  const older = await connect({ protocolVersion: 5, clientId: 'same' })
  const goodbye = new Promise<number | undefined>(resolve => {
    older.once('disconnect', packet => resolve(packet.reasonCode))
  })
  await connect({ protocolVersion: 5, clientId: 'same' })
  assert.equal(await goodbye, 0x8e)
  await eventually('the older to be gone', () => gateway.connections.size === 1)
})
