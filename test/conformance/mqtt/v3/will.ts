// MQTT 3.1.1, section 3.1.2.5 to 3.1.2.10: the will, and the keep-alive whose end publishes it.
import type { Client } from '../client.ts'
import { bytes, type ConnectFields, DISCONNECT, PINGREQ, PINGRESP, packet, text, uint16 } from '../packets.ts'
import { type Statement, type Trial, tested } from '../statement.ts'
import { endsAtOnce } from '../wrong.ts'

/** Some look for silent clients every few seconds only. */
const LATE_MS = 15_000

export const will: readonly Statement[] = [
  tested(
    '3.1.2-8',
    'The will is published when the connection is closed without a DISCONNECT.',
    async trial => {
      for (const end of ['drop', 'violation'] as const) {
        const { subscriber, holder, topic } = await withWill(trial)
        if (end === 'drop') holder.drop()
        else holder.send(bytes(0xf1, 0))
        await subscriber.message({ topic, payload: 'will' })
      }
    }
  ),
  tested(
    '3.1.2-9',
    'Will Flag 1: the payload has will topic and will message, which are used with their QoS and Retain.',
    async trial => {
      const head = [text('MQTT'), bytes(4, 0x06), uint16(0), text(trial.id())]
      await endsAtOnce(trial, [packet(0x10, ...head), packet(0x10, ...head, text(trial.topic()))])
      for (const qos of [0, 1, 2]) {
        const { subscriber, holder } = await withWill(trial, { qos })
        holder.drop()
        await subscriber.message({ payload: 'will', qos })
      }
    }
  ),
  tested('3.1.2-10', 'The will is removed once it is published, or a DISCONNECT has come.', async trial => {
    const { subscriber, holder, topic, id } = await withWill(trial, {}, { clean: false })
    holder.drop()
    await subscriber.message({ payload: 'will' })
    const again = await trial.connect({ id, clean: false })
    again.drop()
    await isQuiet(trial, subscriber, topic)
  }),
  tested('3.1.2-12', 'Will Flag 0: no will is published when the connection ends.', async trial => {
    const { subscriber, holder, topic, id } = await withWill(trial, {}, { clean: false })
    holder.send(DISCONNECT)
    await holder.closes()
    const willess = await trial.connect({ id, clean: false })
    willess.drop()
    await isQuiet(trial, subscriber, topic)
  }),
  tested(
    '3.1.2-16',
    'Will Retain 0: the will is published as a message that is not retained.',
    async trial => {
      const { subscriber, holder, topic } = await withWill(trial)
      holder.drop()
      await subscriber.message({ payload: 'will', retain: false })
      const later = await trial.connect()
      await later.subscribe(topic, 1)
      await isQuiet(trial, later, topic)
    }
  ),
  tested('3.1.2-17', 'Will Retain 1: the will is published as a retained message.', async trial => {
    const { subscriber, holder, topic } = await withWill(trial, { retain: true })
    holder.drop()
    await subscriber.message({ payload: 'will', retain: false })
    const later = await trial.connect()
    await later.subscribe(topic, 1)
    await later.message({ topic, payload: 'will', retain: true })
  }),
  tested(
    '3.1.2-24',
    'A client that is silent for one and a half times its keep-alive is disconnected, as if the network had failed.',
    async trial => {
      const { subscriber, holder } = await withWill(trial, {}, { keepAlive: 1 })
      holder.send(PINGREQ)
      await holder.take(PINGRESP)
      await holder.closes(LATE_MS)
      await subscriber.message({ payload: 'will' })
    }
  ),
  tested('3.14.4-3', 'On DISCONNECT the will is discarded without being published.', async trial => {
    const { subscriber, holder, topic } = await withWill(trial)
    holder.send(DISCONNECT)
    await holder.closes()
    await isQuiet(trial, subscriber, topic)
  })
]

interface WithWill {
  readonly subscriber: Client
  readonly holder: Client
  readonly topic: string
  readonly id: string
}

/** A client with a will, and another that is subscribed to its topic. */
async function withWill(
  trial: Trial,
  more: { qos?: number; retain?: boolean } = {},
  fields: ConnectFields = {}
): Promise<WithWill> {
  const [topic, id] = [trial.topic(), trial.id()]
  const subscriber = await trial.connect()
  await subscriber.subscribe(topic, 2)
  const holder = await trial.connect({ id, will: { topic, payload: 'will', ...more }, ...fields })
  return { subscriber, holder, topic, id }
}

/** What comes next on the topic is a message published now. */
async function isQuiet(trial: Trial, subscriber: Client, topic: string): Promise<void> {
  const publisher = await trial.connect()
  await publisher.publish(topic, 'marker', { qos: 1 })
  await subscriber.message({ payload: 'marker' })
}
