// Clients that are not ours and mean to come back, each time at another node.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { IClientOptions } from 'mqtt'
import { requireTool } from '../support/tools.ts'
import { Lifetime } from './lifetime.ts'
import { MosquittoSub, mosquittoPub } from './mosquitto.ts'
import { MqttJs } from './mqttjs.ts'
import { type NodeProcess, startCluster } from './nodes.ts'

const lifetime = new Lifetime()
let nodes: NodeProcess[]

before(async () => {
  nodes = await startCluster(lifetime, ['A', 'B', 'C'])
})
after(() => lifetime.end())

for (const version of [4, 5] as const) {
  test(`MQTT.js (version ${version}) roams over the nodes with QoS 2: all that was said while it was away, once, in order`, async t => {
    const topic = `roams/${version}`
    const properties = version === 5 ? { properties: { sessionExpiryInterval: 60 } } : {}
    const options: IClientOptions = { clientId: `roamer-${version}`, clean: false, ...properties }
    const publisher = await MqttJs.connect(t, nodes[0]!, { version, over: 'TCP' })
    const texts: string[] = []
    let said = 0
    for (let round = 0; round < 6; round++) {
      const roamer = await MqttJs.connect(t, nodes[round % 3]!, { version, over: 'TCP' }, options)
      assert.equal(roamer.connack.sessionPresent, round > 0)
      if (round === 0) await roamer.client.subscribeAsync(topic, { qos: 2 })
      const missed = round === 0 ? 0 : 10
      for (let i = 0; i < 10; i++) await publisher.client.publishAsync(topic, `${said++}`, { qos: 2 })
      texts.push(...(await roamer.until(missed + 10)).map(({ payload }) => String(payload)))
      await roamer.client.endAsync(round % 2 === 0)
      for (let i = 0; i < 10; i++) await publisher.client.publishAsync(topic, `${said++}`, { qos: 2 })
    }
    // What is acknowledged by the client as it breaks off may come again at QoS 1, but not at QoS 2.
    assert.deepEqual(
      texts,
      Array.from({ length: texts.length }, (_, i) => `${i}`)
    )
  })
}

test('mosquitto_sub -c -q 2 gets on one node what it missed on another', async t => {
  if (!requireTool(t, 'mosquitto_sub') || !requireTool(t, 'mosquitto_pub')) return
  const args = ['-c', '-i', 'keeper', '-q', '2', '-t', 'kept']
  const first = await MosquittoSub.start(t, nodes[0]!, args)
  first.child.signal('SIGTERM')
  await first.child.exit()
  for (const text of ['one', 'two', 'three']) {
    const { code } = await mosquittoPub(t, nodes[1]!, ['-q', '2', '-t', 'kept', '-m', text])
    assert.equal(code, 0)
  }
  const second = await MosquittoSub.start(t, nodes[2]!, args)
  const messages = await second.until(3)
  assert.deepEqual(
    messages.map(({ text, qos }) => [text, qos]),
    ['one', 'two', 'three'].map(text => [text, 2])
  )
})
