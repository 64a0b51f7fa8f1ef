// What stood in the way of a measurement, so that not all of its figures can be trusted.

/** Other processes that take more than this of a core spoil rates and latencies. */
export const OTHERS_PERCENT_MAX = 15
/** More messages than this that had to wait for the broker are no chance. */
const HELD_BACK_PERCENT_MAX = 1

export interface Circumstances {
  /** The generator set the pace, not the broker. */
  generatorWasTheLimit: boolean
  /** What other processes took, percent of one core. */
  othersCpuPercent: number
  /** At a fixed rate: messages that were due while the broker had not taken earlier ones, percent. */
  heldBackPercent: number
}

export interface Caveat {
  /** What happened, for a note. */
  what: string
  /** What it means for the figures. */
  so: string
}

export function caveatsOf(circumstances: Circumstances): Caveat[] {
  const { generatorWasTheLimit, othersCpuPercent, heldBackPercent } = circumstances
  const caveats: Caveat[] = []
  if (generatorWasTheLimit) {
    caveats.push({ what: 'the generator was the limit', so: 'rates are its own, not the broker’s' })
  }
  if (heldBackPercent > HELD_BACK_PERCENT_MAX) {
    const what = `the broker fell behind with ${heldBackPercent.toFixed(0)} % of the messages`
    caveats.push({ what, so: 'this rate is more than it keeps' })
  }
  if (othersCpuPercent > OTHERS_PERCENT_MAX) {
    const what = `other processes took ${othersCpuPercent.toFixed(0)} % of a core`
    caveats.push({ what, so: 'trust CPU, not rates and latencies' })
  }
  return caveats
}
