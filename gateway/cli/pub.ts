// `shoal pub`: publishes one message.
import { flag, integer, resolve, text } from '../../broker/options/index.ts'
import type { Arguments, Command } from './command.ts'
import { Failure } from './failure.ts'
import { MQTT_URL_OPTION, MqttClient } from './mqtt-client.ts'

const OPTIONS = {
  url: MQTT_URL_OPTION,
  topic: text('', 'The topic to publish to.', 65_535),
  message: text('', 'The payload. An empty one with --retain clears what is retained.', 16 * 1024 * 1024),
  qos: integer(0, 0, 1, '1 waits until the message is safe in the cluster.'),
  retain: flag(false, 'Keeps the message for those who subscribe later.')
} as const

export const pub: Command = {
  name: 'pub',
  summary: 'Publishes a message.',
  positionals: [],
  options: OPTIONS,
  letters: { t: 'topic', m: 'message', q: 'qos', r: 'retain' },
  examples: [
    'shoal pub -t hello/world -m hi',
    'shoal pub -t hello/world -m hi -q 1 -r --url mqtt://127.0.0.1:1884'
  ],
  outlivesOutput: false,
  hidden: false,
  async run({ flags }: Arguments): Promise<number> {
    const { url, topic, message, qos, retain } = resolve(OPTIONS, [flags])
    if (topic === '') throw new Failure('No topic is given: -t <topic>.', 2)
    if (!flags.has('message')) throw new Failure('No message is given: -m <message>.', 2)
    const client = await MqttClient.connect(url)
    try {
      await client.publish(topic, message, qos === 1 ? 1 : 0, retain)
    } finally {
      await client.end()
    }
    return 0
  }
}
