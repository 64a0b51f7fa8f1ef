import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Fault, runScenario } from './scenario.ts'

/** The short form of `npm run simulate`; more seeds with SHOAL_SEEDS. */
const SEEDS = Number(process.env['SHOAL_SEEDS'] ?? 6)

async function holds(first: number, busyMs: number, faults?: readonly Fault[]): Promise<void> {
  for (let seed = first; seed < first + SEEDS; seed++) {
    const { violations, delivered } = await runScenario(seed, {
      busyMs,
      ...(faults === undefined ? {} : { faults })
    })
    assert.deepEqual(
      violations.slice(0, 10),
      [],
      `seed ${seed} (npm run simulate -- --first ${seed} --seeds 1 --busy ${busyMs})`
    )
    assert.ok(delivered > 0, `seed ${seed} delivered nothing`)
  }
}

describe('a simulated cluster keeps every guarantee', () => {
  it('when nothing happens to it', () => holds(1, 3000, ['loss']))
  it('when nodes join and leave', () => holds(100, 8000, ['join', 'leave', 'restart']))
  it('when nodes crash and come back', () => holds(200, 8000, ['crash', 'restart', 'join']))
  it('when nodes pause', () => holds(300, 8000, ['pause', 'join', 'leave']))
  it('when the network is cut in two and heals', () => holds(400, 8000, ['partition', 'crash']))
  it('when everything happens', () => holds(500, 12_000))

  it('the same way again from the same seed', async () => {
    const [one, other] = [await runScenario(7, { busyMs: 5000 }), await runScenario(7, { busyMs: 5000 })]
    assert.deepEqual(one, other)
  })
})
