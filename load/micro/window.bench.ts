// The window of sequence numbers by which a node tells a message that it has seen from one that it has not.
import { SequenceWindow } from '../../broker/router/sequence-window.ts'
import type { Bench } from './bench.ts'

/** How far apart messages of one origin may overtake each other here: what a few hundred topics do. */
const SCATTER = 256

export const windowBenches: readonly Bench[] = [
  {
    name: 'window: the next sequence of an origin',
    make() {
      const window = new SequenceWindow()
      let sequence = 0
      return times => {
        let taken = 0
        for (let i = 0; i < times; i++) if (window.add(++sequence)) taken++
        return taken
      }
    }
  },
  {
    name: 'window: a sequence out of order, and again',
    make() {
      const window = new SequenceWindow()
      let base = 0
      return times => {
        let taken = 0
        for (let i = 0; i < times; i++) {
          const sequence = base + SCATTER - (i % SCATTER)
          if (window.add(sequence)) taken++
          if (window.has(sequence)) taken++
          if (i % SCATTER === SCATTER - 1) base += SCATTER
        }
        return taken
      }
    }
  }
]
