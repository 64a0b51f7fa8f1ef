// Clients that others have written, against a listener on a real socket.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { findTool, requireTool } from '../../support/tools.ts'
import { listening } from './harness.ts'

async function mqttJs(t: TestContext, port: number, options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0, ...options })
  t.after(() => client.end(true))
  return client
}

for (const protocolVersion of [4, 5] as const) {
  test(`MQTT.js ${protocolVersion} subscribes, publishes at QoS 0 and 1, and gets what was retained`, async t => {
    const { port } = await listening(t)
    const client = await mqttJs(t, port, { protocolVersion })
    const got: string[] = []
    client.on('message', (topic, payload, packet) =>
      got.push(`${topic} ${payload} ${packet.qos} ${packet.retain}`)
    )
    await client.subscribeAsync('a/+', { qos: 1 })
    await client.publishAsync('a/1', 'x')
    await client.publishAsync('a/2', 'y', { qos: 1, retain: true })
    const late = await mqttJs(t, port, { protocolVersion })
    const retained = new Promise<unknown[]>(resolve => {
      late.once('message', (topic, payload, packet) => resolve([topic, payload.toString(), packet.retain]))
    })
    await late.subscribeAsync('#', { qos: 1 })
    assert.deepEqual(await withDeadline(retained, 'the retained message'), ['a/2', 'y', true])
    await eventually('both messages', () => got.length === 2)
    assert.deepEqual(got, ['a/1 x 0 false', 'a/2 y 1 false'])
    await client.unsubscribeAsync('a/+')
    await client.endAsync()
  })

  test(`MQTT.js ${protocolVersion} sends 5,000 messages of QoS 1, and each arrives once and in order`, async t => {
    const { port, broker } = await listening(t)
    broker.record = false
    const subscriber = await mqttJs(t, port, { protocolVersion })
    await subscriber.subscribeAsync('t/#', { qos: 1 })
    const got: number[] = []
    subscriber.on('message', (_topic, payload) => got.push(Number(payload)))
    const publisher = await mqttJs(t, port, { protocolVersion })
    await Promise.all(
      Array.from({ length: 5000 }, (_, i) => publisher.publishAsync(`t/${i % 7}`, `${i}`, { qos: 1 }))
    )
    await eventually('all messages', () => got.length === 5000)
    assert.deepEqual(
      got,
      Array.from({ length: 5000 }, (_, i) => i)
    )
  })

  test(`mosquitto ${protocolVersion} publishes and subscribes`, async t => {
    if (!requireTool(t, 'mosquitto_sub') || !requireTool(t, 'mosquitto_pub')) return
    const { port, broker } = await listening(t)
    const common = ['-h', '127.0.0.1', '-p', `${port}`, '-V', protocolVersion === 4 ? '311' : '5', '-q', '1']
    const sub = spawn(findTool('mosquitto_sub')!, [...common, '-t', 'hello/#', '-C', '3', '-v'])
    t.after(() => sub.kill('SIGKILL'))
    let output = ''
    sub.stdout.on('data', chunk => {
      output += chunk
    })
    const ended = once(sub, 'exit')
    await eventually('the subscription', () => broker.count === 1)
    for (const message of ['one', 'two', 'three']) {
      const pub = spawn(findTool('mosquitto_pub')!, [
        ...common,
        '-t',
        `hello/${message}`,
        '-m',
        message,
        '--repeat',
        '1'
      ])
      const [code] = await withDeadline(once(pub, 'exit'), 'mosquitto_pub')
      assert.equal(code, 0)
    }
    await withDeadline(ended, 'mosquitto_sub')
    assert.equal(output, 'hello/one one\nhello/two two\nhello/three three\n')
  })
}
