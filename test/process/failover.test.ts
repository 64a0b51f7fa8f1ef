// Four real nodes under load, and what happens to an owner: nothing that was acknowledged is lost, doubled or
// out of order for those on the other nodes. The times of a shared machine are told, not tested.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { requireTool } from '../support/tools.ts'
import { type FailoverFigures, failover } from './failover.ts'
import { FAULTS, type FaultName } from './faults.ts'
import { startBrowser } from './page.ts'

const TIMEOUT_MS = 120_000

for (const [fault, { title }] of Object.entries(FAULTS)) {
  test(`when ${title}, acknowledged messages arrive once and in order`, { timeout: TIMEOUT_MS }, async t => {
    if (!requireTool(t, 'mosquitto_sub') || !requireTool(t, 'chromium')) return
    const figures = await failover(t, { fault: fault as FaultName, browser: await startBrowser(t) })
    tell(t, figures)
    if (fault !== 'none') assert.ok(figures.movedTopics > 0, 'some topics change their owner')
    for (const { name, published, acknowledged } of figures.publishers) {
      assert.equal(acknowledged, published, `${name}: all is acknowledged`)
    }
    for (const { name, interruptions, received, lost, duplicated, reordered } of figures.subscribers) {
      assert.ok(received > 0, `${name}: something arrives`)
      assert.deepEqual(
        { interruptions, lost, duplicated, reordered },
        { interruptions: 0, lost: 0, duplicated: 0, reordered: 0 },
        name
      )
    }
  })
}

function tell(t: TestContext, { settledMs, movedTopics, publishers, subscribers }: FailoverFigures): void {
  t.diagnostic(`${movedTopics} topics moved; of one mind after ${settledMs} ms`)
  for (const { name, longestWaitMs, published } of publishers) {
    t.diagnostic(`${name}: ${published} published, longest wait for an acknowledgement ${longestWaitMs} ms`)
  }
  for (const { name, longestGapMs, longestTopicGapMs, received } of subscribers) {
    t.diagnostic(
      `${name}: ${received} received, longest gap ${longestGapMs} ms, of a topic ${longestTopicGapMs} ms`
    )
  }
}
