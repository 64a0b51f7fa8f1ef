// The suite that mqemitter publishes for those who implement its interface, run on an upring.
import { createRequire } from 'node:module'
import { type TestContext, test } from 'node:test'
import type { MQEmitter } from 'mqemitter'
import { createPubSub, type PubSubOptions } from '../../../broker/plugins/pubsub/index.ts'
import { type Upring, upring } from '../../../broker/upring.ts'

type Builder = (options?: PubSubOptions) => MQEmitter
type AbstractTests = (options: { builder: Builder; test: typeof test }) => void

const abstractTests = createRequire(import.meta.url)('mqemitter/abstractTest.js') as AbstractTests

const open: Upring[] = []

abstractTests({
  builder: options => {
    const ring = upring({ logLevel: 'silent', cluster: { preset: 'local' } })
    open.push(ring)
    return createPubSub(ring, options)
  },
  test: ((name: string, run: (t: TestContext) => Promise<void>) =>
    test(name, { timeout: 20_000 }, async t => {
      await run(t)
      await Promise.all(open.splice(0).map(ring => ring.close()))
    })) as typeof test
})
