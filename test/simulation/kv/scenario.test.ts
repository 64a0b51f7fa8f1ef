import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KV_FAULTS_ALL, type KvFault, runKvScenario } from './scenario.ts'

/** More seeds with SHOAL_SEEDS. */
const SEEDS = Number(process.env['SHOAL_SEEDS'] ?? 1)

async function holds(first: number, faults: readonly KvFault[], putsPerSecond: number): Promise<void> {
  for (let seed = first; seed < first + SEEDS; seed++) {
    const outcome = await runKvScenario(seed, { busyMs: 10_000, faults, putsPerSecond })
    assert.deepEqual(outcome.violations.slice(0, 10), [], `seed ${seed}: ${outcome.faults.join('; ')}`)
    assert(outcome.acknowledged > outcome.put / 2, `seed ${seed}: ${JSON.stringify(outcome)}`)
  }
}

describe('a simulated ring with kv', () => {
  it('fails no put and loses none while nodes join and leave', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await runKvScenario(seed, { busyMs: 4000, faults: ['join', 'leave'] })
      assert.deepEqual(outcome.violations.slice(0, 10), [], `seed ${seed}: ${outcome.faults.join('; ')}`)
      assert(outcome.acknowledged > 1000)
    }
  })
  it('loses nothing that was acknowledged when nodes are killed', () =>
    holds(100, ['crash', 'join', 'restart'], 500))
  it('loses nothing that was acknowledged when nodes join, leave and are killed', () =>
    holds(200, ['crash', 'join', 'restart', 'leave'], 500))
  it('agrees on every value in the end whatever happens', () => holds(300, KV_FAULTS_ALL, 200))
})
