// Every normative statement of MQTT 3.1.1, in the order of its appendix B.
import { byNumber, type Statement } from '../statement.ts'
import { accept } from './accept.ts'
import { connectHeader } from './connect.ts'
import { delivery } from './delivery.ts'
import { format } from './format.ts'
import { publishing } from './publish.ts'
import { subscribing } from './subscribe.ts'
import { topics } from './topics.ts'
import { unsubscribing } from './unsubscribe.ts'
import { will } from './will.ts'

export const version3: readonly Statement[] = [
  ...format,
  ...connectHeader,
  ...will,
  ...accept,
  ...publishing,
  ...subscribing,
  ...unsubscribing,
  ...delivery,
  ...topics
].sort(byNumber)
