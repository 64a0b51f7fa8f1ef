import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type RingFault, runRingScenario } from './scenario.ts'

/** More seeds with SHOAL_SEEDS. */
const SEEDS = Number(process.env['SHOAL_SEEDS'] ?? 3)

async function holds(first: number, busyMs: number, faults?: readonly RingFault[]): Promise<void> {
  for (let seed = first; seed < first + SEEDS; seed++) {
    const outcome = await runRingScenario(seed, { busyMs, ...(faults === undefined ? {} : { faults }) })
    const { violations, asked, answered } = outcome
    assert.deepEqual(
      violations.slice(0, 10),
      [],
      `seed ${seed}, busy for ${busyMs} ms: ${outcome.faults.join('; ')}`
    )
    assert.ok(answered > asked / 2, `seed ${seed}: ${answered} of ${asked} answered`)
  }
}

describe('a simulated ring of uprings', () => {
  it('answers everything while nodes join and leave', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violations, asked, answered } = await runRingScenario(seed, {
        busyMs: 5000,
        faults: ['join', 'leave']
      })
      assert.deepEqual(violations.slice(0, 10), [], `seed ${seed}`)
      // What a leaver asked last may fail with CLOSED.
      assert.ok(answered >= asked - 10, `seed ${seed}: ${answered} of ${asked} answered`)
    }
  })
  it('settles every request when nodes crash', () => holds(100, 8000, ['crash', 'join']))
  it('settles every request when nodes pause', () => holds(200, 8000, ['pause', 'join', 'leave']))
  it('settles every request when cables are pulled', () => holds(300, 8000, ['cut', 'join', 'crash', 'loss']))
  it('settles every request when the network is cut in two and heals', () =>
    holds(500, 8000, ['partition', 'join', 'crash']))
  it('settles every request when everything happens', () => holds(400, 10_000))

  it('does the same again from the same seed', async () => {
    const [one, other] = [
      await runRingScenario(7, { busyMs: 3000 }),
      await runRingScenario(7, { busyMs: 3000 })
    ]
    assert.deepEqual(one, other)
  })
})
