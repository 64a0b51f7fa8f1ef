// MQTT 5.0, section 3.3.2.3: what of a PUBLISH's properties is forwarded unaltered.
import { bytes, text } from '../packets.ts'
import { type Statement, type Trial, tested } from '../statement.ts'
import { Client5 } from './client.ts'
import {
  CONTENT_TYPE,
  CORRELATION_DATA,
  PAYLOAD_FORMAT,
  type Property,
  property,
  RESPONSE_TOPIC,
  USER_PROPERTY,
  userProperty
} from './packets.ts'

export const forwarding: readonly Statement[] = [
  tested('3.3.2-4', 'The payload format indicator is forwarded unaltered.', async trial => {
    for (const value of [0, 1])
      await isForwarded(trial, [property(PAYLOAD_FORMAT, bytes(value))], [[PAYLOAD_FORMAT, value]])
  }),
  tested('3.3.2-15', 'The response topic is forwarded unaltered.', trial =>
    isForwarded(trial, [property(RESPONSE_TOPIC, text('answers/here'))], [[RESPONSE_TOPIC, 'answers/here']])
  ),
  tested('3.3.2-16', 'The correlation data is forwarded unaltered.', trial =>
    isForwarded(
      trial,
      [property(CORRELATION_DATA, text(Buffer.from('00ff80', 'hex')))],
      [[CORRELATION_DATA, '00ff80']]
    )
  ),
  tested('3.3.2-17', 'User properties are all forwarded unaltered.', trial =>
    isForwarded(
      trial,
      [userProperty('a', '1'), userProperty('', '')],
      [
        [USER_PROPERTY, 'a=1'],
        [USER_PROPERTY, '=']
      ]
    )
  ),
  tested('3.3.2-18', 'User properties keep their order.', trial =>
    isForwarded(
      trial,
      ['b', 'a', 'b', 'c'].map((name, index) => userProperty(name, `${index}`)),
      ['b=0', 'a=1', 'b=2', 'c=3'].map(value => [USER_PROPERTY, value])
    )
  ),
  tested('3.3.2-20', 'The content type is forwarded unaltered.', trial =>
    isForwarded(trial, [property(CONTENT_TYPE, text('text/plain'))], [[CONTENT_TYPE, 'text/plain']])
  )
]

/** As it is published, and as it is retained. */
async function isForwarded(trial: Trial, sent: Buffer[], expected: Property[]): Promise<void> {
  const topic = trial.topic()
  const subscriber = await Client5.connected(trial)
  await subscriber.subscribe(topic)
  await (await Client5.connected(trial)).publish(topic, 'x', true, ...sent)
  await subscriber.message({ payload: 'x', properties: expected })
  const later = await Client5.connected(trial)
  await later.subscribe(topic)
  await later.message({ payload: 'x', properties: expected })
}
