// `shoal sub`: prints the messages of one or more filters, a line each.
import { flag, integer, resolve, several } from '../../broker/options/index.ts'
import type { Arguments, Command, Terminal } from './command.ts'
import { Failure } from './failure.ts'
import { MQTT_URL_OPTION, MqttClient } from './mqtt-client.ts'

const OPTIONS = {
  url: MQTT_URL_OPTION,
  topic: several(100, 'A topic or filter to subscribe to; may be given several times.'),
  qos: integer(0, 0, 1, 'The highest QoS of messages sent here.'),
  verbose: flag(false, 'Prints the topic before each message.'),
  count: integer(0, 0, 1_000_000_000, 'Ends after so many messages; 0 is never.')
} as const

export const sub: Command = {
  name: 'sub',
  summary: 'Prints messages as they come.',
  positionals: [],
  options: OPTIONS,
  letters: { t: 'topic', q: 'qos', v: 'verbose', C: 'count' },
  examples: ["shoal sub -t 'hello/#' -v", 'shoal sub -t hello/world -C 1'],
  outlivesOutput: false,
  hidden: false,
  async run({ flags }: Arguments, terminal: Terminal): Promise<number> {
    const { url, topic: filters, qos, verbose, count } = resolve(OPTIONS, [flags])
    if (filters.length === 0) throw new Failure('No topic is given: -t <topic or filter>.', 2)
    const client = await MqttClient.connect(url)
    let printed = 0
    await client.subscribe(filters, qos === 1 ? 1 : 0, ({ topic, payload }) => {
      if (count > 0 && printed === count) return
      terminal.outBytes(verbose ? Buffer.concat([Buffer.from(`${topic} `), payload]) : payload)
      // All has been printed that was asked for: how the connection ends no longer matters.
      if (++printed === count) client.end().catch(() => {})
    })
    const reason = await client.closed
    if (reason !== null) throw reason
    return 0
  }
}
