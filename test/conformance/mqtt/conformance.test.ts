// Every normative statement that binds a server, by its number: on one node, on three with a test's clients spread
// over them, over WebSocket, and on Mosquitto. What is known to be broken, and why, stands in known.ts.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { requireTool } from '../../support/tools.ts'
import { known } from './known.ts'
import { surprises } from './report.ts'
import { runSuite, type Target } from './run.ts'
import { suites } from './suites.ts'
import { startMosquitto, startShoal } from './targets.ts'

test('Shoal keeps the statements of MQTT: one node, three nodes, WebSocket', async t => {
  for (const target of await startShoal(t)) await keepsAll(t, target)
})

test('Mosquitto keeps the statements of MQTT but those that are known', async t => {
  if (!requireTool(t, 'mosquitto')) return
  await keepsAll(t, (await startMosquitto(t))!)
})

test('each statement has one place, and what is known to be broken is a statement that is tried', () => {
  for (const { version, statements } of suites) {
    const ids = statements.map(({ id }) => id)
    assert.deepEqual([...new Set(ids)], ids)
    for (const { id } of known.filter(each => each.version === version)) {
      assert.equal(typeof statements.find(each => each.id === id)?.proof, 'function', id)
    }
  }
})

async function keepsAll(t: TestContext, target: Target): Promise<void> {
  for (const suite of suites) {
    const results = await runSuite(suite, target)
    await t.test(`MQTT ${suite.version} on ${target.name}`, () => {
      assert.deepEqual(surprises({ suite, target, results }), [])
    })
  }
}
