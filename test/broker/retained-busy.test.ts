import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { createBroker } from '../../broker/broker.ts'
import { Message } from '../../broker/message.ts'
import type { Subscriber } from '../../broker/topics/subscription.ts'
import { Simulation } from '../simulation/simulation.ts'

class SlowSubscriber implements Subscriber {
  readonly got: string[] = []
  waiting = 0
  waitingMax = 0

  get isBusy(): boolean {
    return this.waiting >= 100
  }

  deliver(message: Message): void {
    this.got.push(message.topic.name)
    this.waiting++
    this.waitingMax = Math.max(this.waitingMax, this.waiting)
  }
}

test('a subscriber that is busy gets retained messages as fast as it takes them, and all of them', async () => {
  const simulation = new Simulation({ seed: 1 })
  const broker = createBroker(
    { clusterHost: '10.0.0.1', advertiseHost: '10.0.0.1', insecure: true },
    simulation.host('10.0.0.1').runtime
  )
  void broker.start()
  await simulation.until(() => broker.ready, 1000)
  for (let i = 0; i < 5000; i++) {
    const payload = Buffer.from(`${i}`)
    broker.publish(new Message(broker.topic(`many/${i}`), payload, 0, payload.length, 1, true))
  }
  const subscriber = new SlowSubscriber()
  const options = { qos: 1, noLocal: false, retainAsPublished: false, identifier: 0 } as const
  let isDone = false
  void broker.subscribe(subscriber, 'many/#', options).then(async ({ subscription }) => {
    await broker.sendRetained(subscription)
    isDone = true
  })
  while (!isDone && simulation.now < 60_000) {
    await simulation.run(5)
    subscriber.waiting = Math.max(0, subscriber.waiting - 50)
  }
  assert.equal(new Set(subscriber.got).size, 5000)
  assert.equal(subscriber.got.length, 5000)
  assert.ok(subscriber.waitingMax <= 101)
})
