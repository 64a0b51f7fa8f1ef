import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Device, Nodes } from './nodes.ts'

for (let seed = 1; seed <= 8; seed++) {
  test(`topics dropped from the table while nodes join and leave lose nothing (seed ${seed})`, async () => {
    const nodes = await Nodes.started(seed, 2, { topicsMax: 20 })
    const clients = [await nodes.subscribe(nodes.at(0), '#'), await nodes.subscribe(nodes.at(1), '#')]
    const devices = [new Device(nodes.at(0)), new Device(nodes.at(1))]
    const { random } = nodes.simulation
    const traffic = async (durationMs: number): Promise<void> => {
      for (let ms = 0; ms < durationMs; ms++) {
        for (const [from, device] of devices.entries())
          for (let i = 0; i < 3; i++) device.publish(`t/${random.integer(60)}`, `${from} ${device.sent}`)
        await nodes.simulation.run(1)
      }
    }
    let phase = 'joining'
    const node = nodes.add()
    const enter = (name: string) => (): void => {
      phase = name
    }
    void node.broker.start().then(enter('serving'))
    while (phase === 'joining') await traffic(10)
    await traffic(50)
    void node.broker.close().then(enter('gone'))
    while (phase === 'serving') await traffic(10)
    await traffic(50)
    await nodes.simulation.until(() => devices.every(device => device.isAcknowledged), 20_000)
    await nodes.simulation.run(1000)
    const said = devices.flatMap((device, from) =>
      Array.from({ length: device.sent }, (_, n) => `${from} ${n}`)
    )
    for (const { texts, got } of clients) {
      const missing = said.filter(text => !texts.includes(text))
      assert.deepEqual(missing, [], 'never arrived')
      assert.equal(texts.length, said.length, 'arrived twice')
      const last = new Map<string, number>()
      for (const { topic, text } of got) {
        const [from, number] = text.split(' ')
        const key = `${topic} of ${from}`
        assert.ok(Number(number) > (last.get(key) ?? -1), `${key}: ${number} after ${last.get(key)}`)
        last.set(key, Number(number))
      }
    }
  })
}
