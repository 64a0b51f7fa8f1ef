// The emitter against the suite of mqemitter, on a node of its own.
import { after, before, test } from 'node:test'
import { type AedesOnRing, aedesOnRing, RingEmitter } from '../../../gateway/aedes/index.ts'
import { emitterSuite } from './suites.ts'

let node: AedesOnRing

before(async () => {
  node = await aedesOnRing({ logLevel: 'silent' })
})
after(() => node.close())

emitterSuite({ test, builder: options => new RingEmitter(node.broker, options) })
