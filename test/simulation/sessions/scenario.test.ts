import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runSessionScenario, type SessionFault } from './scenario.ts'

/** The short form of `npm run simulate -- sessions`; more seeds with SHOAL_SEEDS. */
const SEEDS = Number(process.env['SHOAL_SEEDS'] ?? 3)

async function holds(first: number, busyMs: number, faults: readonly SessionFault[]): Promise<void> {
  for (let seed = first; seed < first + SEEDS; seed++) {
    const { violations, delivered, faults: seen } = await runSessionScenario(seed, { busyMs, faults })
    assert.deepEqual(violations.slice(0, 10), [], `seed ${seed}: ${seen.join('; ')}`)
    assert.ok(delivered > 0, `seed ${seed} delivered nothing`)
  }
}

describe('sessions of clients that roam', () => {
  it('when nothing happens to the nodes', () => holds(1, 5000, ['pause']))
  it('when nodes join and leave', () => holds(100, 10_000, ['join', 'leave']))
  it('when nodes crash', () => holds(200, 10_000, ['crash', 'join']))
  it('when everything happens', () => holds(300, 15_000, ['join', 'leave', 'crash', 'pause']))
})
