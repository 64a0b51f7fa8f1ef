// MQTT 5.0, section 3.8: subscription options and identifiers.
import { type Statement, type Trial, tested } from '../statement.ts'
import { Client5 } from './client.ts'
import {
  NO_LOCAL,
  property,
  RETAIN_AS_PUBLISHED,
  RETAINED_IF_NEW,
  RETAINED_NEVER,
  SUBSCRIPTION_IDENTIFIER,
  subscribe5,
  variable
} from './packets.ts'

const MALFORMED = 0x81
const PROTOCOL_ERROR = 0x82
const SHARED_NOT_SUPPORTED = 0x9e

export const subscribing: readonly Statement[] = [
  tested('3.8.3-3', 'No Local: a client does not get what it has published itself.', async trial => {
    const client = await Client5.connected(trial)
    const other = await Client5.connected(trial)
    // Topics of every node of a cluster.
    for (let count = 0; count < 12; count++) {
      const topic = trial.topic()
      await client.subscribe(topic, NO_LOCAL)
      await client.publish(topic, 'own')
      await other.publish(topic, 'of another')
      await client.message({ payload: 'of another' })
    }
  }),
  tested('3.8.3-4', 'No Local on a shared subscription is a protocol error.', async trial => {
    const client = await Client5.connected(trial)
    client.client.send(subscribe5(1, `$share/group/${trial.topic()}`, NO_LOCAL))
    await client.ends(PROTOCOL_ERROR, SHARED_NOT_SUPPORTED)
  }),
  tested('3.8.3-5', 'Reserved bits of the options that are not 0 are malformed.', async trial => {
    for (const options of [0x40, 0x80, 0xc0]) {
      const client = await Client5.connected(trial)
      client.client.send(subscribe5(1, trial.topic(), options))
      await client.ends(MALFORMED, PROTOCOL_ERROR)
    }
  }),
  tested(
    '3.3.1-9',
    'Retain handling 0: retained messages are sent whenever it is subscribed.',
    async trial => {
      const { client, topic } = await retained(trial)
      for (let count = 0; count < 2; count++) {
        await client.subscribe(topic, 0)
        await client.message({ payload: 'kept', retain: true })
      }
    }
  ),
  tested(
    '3.3.1-10',
    'Retain handling 1: retained messages are sent if the subscription is new.',
    async trial => {
      const { client, topic, publisher } = await retained(trial)
      await client.subscribe(topic, RETAINED_IF_NEW)
      await client.message({ payload: 'kept', retain: true })
      await client.subscribe(topic, RETAINED_IF_NEW)
      await publisher.publish(topic, 'marker')
      await client.message({ payload: 'marker' })
    }
  ),
  tested('3.3.1-11', 'Retain handling 2: retained messages are not sent.', async trial => {
    const { client, topic, publisher } = await retained(trial)
    await client.subscribe(topic, RETAINED_NEVER)
    await publisher.publish(topic, 'marker')
    await client.message({ payload: 'marker' })
  }),
  tested('3.3.1-12', 'Retain As Published 0: what is forwarded has RETAIN 0.', async trial => {
    const { client, topic, publisher } = await subscribedTo(trial, 0)
    await publisher.publish(topic, 'x', true)
    await client.message({ payload: 'x', retain: false })
  }),
  tested(
    '3.3.1-13',
    'Retain As Published 1: what is forwarded has RETAIN as it was published.',
    async trial => {
      const { client, topic, publisher } = await subscribedTo(trial, RETAIN_AS_PUBLISHED)
      await publisher.publish(topic, 'x', true)
      await client.message({ payload: 'x', retain: true })
      await publisher.publish(topic, 'y')
      await client.message({ payload: 'y', retain: false })
    }
  ),
  tested(
    '3.3.4-3',
    'A message has the subscription identifiers of the subscriptions that it matches.',
    async trial => {
      const topic = trial.topic()
      const client = await Client5.connected(trial)
      const identifier = 268_435_455
      await client.subscribe(topic, 0, property(SUBSCRIPTION_IDENTIFIER, variable(identifier)))
      await (await Client5.connected(trial)).publish(topic, 'x')
      await client.message({ payload: 'x', properties: [[SUBSCRIPTION_IDENTIFIER, identifier]] })
    }
  )
]

interface Prepared {
  readonly client: Client5
  readonly publisher: Client5
  readonly topic: string
}

async function retained(trial: Trial): Promise<Prepared> {
  const topic = trial.topic()
  const publisher = await Client5.connected(trial)
  await publisher.publish(topic, 'kept', true)
  return { client: await Client5.connected(trial), publisher, topic }
}

async function subscribedTo(trial: Trial, options: number): Promise<Prepared> {
  const topic = trial.topic()
  const client = await Client5.connected(trial)
  await client.subscribe(topic, options)
  return { client, publisher: await Client5.connected(trial), topic }
}
