// The persistence against the suite of aedes-persistence: on a node that is alone, and on a node of three, where most of what is
// stored is another's.
import { before, test } from 'node:test'
import { fileScope } from './file-scope.ts'
import { type Member, startRing, wipe } from './rings.ts'
import { persistenceSuite } from './suites.ts'

const scope = fileScope()
const alone: Member[] = []
const three: Member[] = []
before(async () => {
  alone.push(...(await startRing(scope, 1)))
  three.push(...(await startRing(scope, 3)))
})

/** What the suite asks for beyond what several nodes can promise: clients in the order of their subscriptions. */
const ORDERED = 'get client list after subscriptions'

for (const [count, members] of [
  [1, alone],
  [3, three]
] as const)
  persistenceSuite({
    test: ((name: string, run: () => Promise<void>) =>
      test(`of ${count}: ${name}`, { skip: count > 1 && name === ORDERED }, run)) as typeof test,
    // Each test of the suite expects that nothing is stored yet.
    persistence: async () => {
      wipe(members)
      return members[0]!.persistence
    },
    testAsync: true
  })
