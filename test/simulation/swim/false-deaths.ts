// Counts members that are taken for dead and live. What happens to one whose host is meant to be silent is not false.
import type { Change, Member } from '../../../broker/swim/member.ts'
import type { Cohort, Host } from './cohort.ts'

export interface FalseDeathFigures {
  nodeHours: number
  /** How often a healthy member was suspected, by however many; and how often it was declared dead. */
  suspicions: number
  deaths: number
  /** How often any member was told of such a death (Lifeguard's FP), and any healthy one (its FP-). */
  told: number
  toldHealthy: number
  /** Of the members that were meant to be silent: how often they were declared dead. */
  silentDeaths: number
}

export class FalseDeaths {
  readonly #cohort: Cohort
  readonly #since: number
  readonly #silent: ReadonlySet<string>
  readonly #suspicions = new Set<string>()
  readonly #deaths = new Set<string>()
  readonly #silentDeaths = new Set<string>()
  #told = 0
  #toldHealthy = 0

  /** Counts from now on. */
  constructor(cohort: Cohort, silent: readonly Host[] = []) {
    this.#cohort = cohort
    this.#since = cohort.now
    this.#silent = new Set(silent.map(host => host.id))
    cohort.onTold = (by, member, change) => this.#count(by, member, change)
  }

  figures(): FalseDeathFigures {
    return {
      nodeHours: (this.#cohort.living.length * (this.#cohort.now - this.#since)) / 3_600_000,
      suspicions: this.#suspicions.size,
      deaths: this.#deaths.size,
      told: this.#told,
      toldHealthy: this.#toldHealthy,
      silentDeaths: this.#silentDeaths.size
    }
  }

  #count(by: Host, member: Member, change: Change): void {
    const verdict = `${member.id} ${member.incarnation}`
    const silent = this.#silent.has(member.id)
    if (change === 'suspected' && !silent) this.#suspicions.add(verdict)
    if (change !== 'died') return
    if (silent) {
      this.#silentDeaths.add(verdict)
      return
    }
    this.#deaths.add(verdict)
    this.#told++
    if (!this.#silent.has(by.id)) this.#toldHealthy++
  }
}

/** Lets time pass while a share of all datagrams is lost; with `streamPing` false, there are only datagrams to ping with. */
export async function measureLoss(
  cohort: Cohort,
  loss: number,
  streamPing: boolean,
  ms: number
): Promise<FalseDeathFigures> {
  const deaths = new FalseDeaths(cohort)
  cohort.network.loss = loss
  cohort.streamPing = streamPing
  await cohort.run(ms)
  cohort.network.loss = 0
  cohort.streamPing = true
  return deaths.figures()
}
