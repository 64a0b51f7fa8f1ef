// What members have sent since a moment, a member and a second: the load that must not grow with the cluster.
import type { Cohort, Host } from './cohort.ts'
import { type Summary, summarize } from './summary.ts'

export interface TrafficFigures {
  /** Datagrams and their bytes a member and second; `max` is the busiest member. */
  packets: Summary
  bytes: Summary
  /** Bytes of full states, the questions and the answers. */
  streamBytes: Summary
}

interface Sent {
  packets: number
  bytes: number
  streamBytes: number
}

export class Traffic {
  readonly #cohort: Cohort
  readonly #since: number
  readonly #before: ReadonlyMap<Host, Sent>

  /** Counts from now on, what those send who live now. */
  constructor(cohort: Cohort) {
    this.#cohort = cohort
    this.#since = cohort.now
    this.#before = new Map(cohort.living.map(host => [host, sent(host)]))
  }

  figures(): TrafficFigures {
    const seconds = (this.#cohort.now - this.#since) / 1000
    const rate = (name: keyof Sent): Summary =>
      summarize([...this.#before].map(([host, before]) => (sent(host)[name] - before[name]) / seconds))
    return { packets: rate('packets'), bytes: rate('bytes'), streamBytes: rate('streamBytes') }
  }
}

/** What members at rest send in a minute. */
export async function measureRest(cohort: Cohort, ms: number): Promise<TrafficFigures> {
  const traffic = new Traffic(cohort)
  await cohort.run(ms)
  return traffic.figures()
}

function sent({ swim, port }: Host): Sent {
  const { packetsOut, bytesOut } = swim.counters
  return { packets: packetsOut, bytes: bytesOut, streamBytes: port.streamBytesOut }
}
