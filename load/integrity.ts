// Whether every message arrived once and in order, and what that means for the exit code.
import type { Board } from './board.ts'
import type { Expectation } from './expectation.ts'

export interface Integrity {
  /** Messages sent in the whole run, warm-up included. */
  published: number
  /** Deliveries they should have caused. */
  expected: number
  lost: number
  duplicated: number
  reordered: number
  /** Messages that no one here sent. */
  foreign: number
  /** Publishes that the broker answered with a reason code of 0x80 or above. */
  refused: number
  /** Publishes at QoS 1 and 2 without their last answer. */
  unacknowledged: number
  /** Connections that ended by themselves. */
  disconnected: number
}

/** Reads the board after its ledgers are closed. */
export function integrityOf(board: Board, expectation: Expectation): Integrity {
  return {
    published: board.publishedTotal(),
    expected: expectation.deliveries(),
    lost: board.total('lost'),
    duplicated: board.total('duplicated'),
    reordered: board.total('reordered'),
    foreign: board.total('foreign'),
    refused: board.total('refused'),
    unacknowledged: Math.max(0, expectation.acknowledgements() - board.total('acknowledged')),
    disconnected: board.total('disconnected')
  }
}

/** What is wrong, each as a few words; empty when every message arrived once and in order. */
export function faultsOf(integrity: Integrity, allowLoss: boolean): string[] {
  const faults: string[] = []
  if (integrity.lost > 0 && !allowLoss) faults.push(`${integrity.lost} lost`)
  if (integrity.duplicated > 0) faults.push(`${integrity.duplicated} duplicated`)
  if (integrity.reordered > 0) faults.push(`${integrity.reordered} reordered`)
  if (integrity.foreign > 0) faults.push(`${integrity.foreign} foreign`)
  if (integrity.refused > 0) faults.push(`${integrity.refused} refused`)
  if (integrity.unacknowledged > 0) faults.push(`${integrity.unacknowledged} unacknowledged`)
  if (integrity.disconnected > 0) faults.push(`${integrity.disconnected} disconnected`)
  return faults
}
