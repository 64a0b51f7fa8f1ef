// What this node believes of each member, and how news changes it. The newest news wins (member.ts);
// every change is passed on as a rumour; a suspect that does not refute in time is dead; and whatever
// is said of ourselves that is not so, we outbid with a higher incarnation.
// Source: SWIM (DSN 2002), section 4.2; Lifeguard (arXiv:1707.00788), section IV.
import { ShoalError } from '../errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Random } from '../runtime/random.ts'
import type { Awareness } from './awareness.ts'
import { encodeNews } from './codec.ts'
import type { SwimConfig } from './config.ts'
import type { SwimCounters } from './counters.ts'
import type { GossipQueue } from './gossip.ts'
import {
  type Change,
  changesBetween,
  INCARNATION_MAX,
  isLive,
  type Member,
  type News,
  parseId,
  supersedes
} from './member.ts'
import { encodeMeta, type Meta, sameMeta } from './meta.ts'
import { accusersWanted, Suspicion, suspicionMinMs } from './suspicion.ts'
import { type Entry, MemberTable } from './table.ts'

export interface MembershipOptions {
  id: string
  instance: string
  meta: Meta
  runtime: { clock: Clock; random: Random; log: Log }
  config: SwimConfig
  awareness: Awareness
  gossip: GossipQueue
  counters: SwimCounters
  onChange: (member: Member, change: Change) => void
}

export class Membership {
  readonly table: MemberTable
  readonly #self: Entry
  readonly #clock: Clock
  readonly #log: Log
  readonly #config: SwimConfig
  readonly #awareness: Awareness
  readonly #gossip: GossipQueue
  readonly #counters: SwimCounters
  readonly #onChange: (member: Member, change: Change) => void
  #refusalLogged = false

  constructor(options: MembershipOptions) {
    const { id, instance, runtime, config } = options
    const address = parseId(id)
    if (address === null || !/^[0-9a-f]{16}$/.test(instance))
      throw new ShoalError('OPTION_INVALID', { id, instance })
    this.table = new MemberTable(runtime.random, config.membersMax, config.deadMax)
    this.#clock = runtime.clock
    this.#log = runtime.log
    this.#config = config
    this.#awareness = options.awareness
    this.#gossip = options.gossip
    this.#counters = options.counters
    this.#onChange = options.onChange
    const meta = checkedMeta(options.meta)
    const incarnation = Math.max(0, Math.floor(runtime.clock.wall()))
    const self: News = { id, instance, ...address, meta, incarnation, state: 'alive', accuser: '' }
    this.#self = this.table.add(self, this.#clock.now(), true)!
  }

  get self(): Member {
    return this.#self.member
  }

  /** What we would tell of everyone. */
  allNews(): News[] {
    return [...this.table.entries()].map(({ member, accuser }) => ({ ...member, accuser }))
  }

  /** What we would tell of one member, in bytes; null if we never heard of it. */
  newsOf(id: string): Uint8Array | null {
    const entry = this.table.get(id)
    return entry === undefined ? null : encodeNews({ ...entry.member, accuser: entry.accuser })
  }

  /** Takes news in, and passes it on (unless `quiet`) if it was new here. */
  learn(news: News, quiet = false): void {
    const entry = this.table.get(news.id)
    if (entry === this.#self) {
      this.#hearOfSelf(news)
    } else if (entry === undefined) {
      this.#meet(news, quiet)
    } else if (entry.suspicion !== null && isSameSuspicion(news, entry.member)) {
      if (!entry.suspicion.accuse(news.accuser)) return
      entry.accuser = news.accuser
      if (!quiet) this.#spread(entry)
    } else if (supersedes(news, entry.member)) {
      this.#believe(entry, news, quiet)
    }
  }

  /**
   * Takes in a whole state. Its dead are only suspects here, accused by the sender: what the other side of a healed
   * partition thinks of ours is not news of a death.
   */
  merge(news: readonly News[], sender: string, quiet: boolean): void {
    for (const each of news) {
      const held = this.table.get(each.id)?.member
      const doubtful = each.state === 'dead' && held?.instance === each.instance && isLive(held)
      this.learn(doubtful ? { ...each, meta: held.meta, state: 'suspect', accuser: sender } : each, quiet)
    }
  }

  /** Our own accusation of a member as it was when we probed it; nothing if it has proved otherwise meanwhile. */
  suspect(member: Member): void {
    this.learn({ ...member, state: 'suspect', accuser: this.self.id })
  }

  /** Our own verdict on a member as it was when we judged it; nothing if it has proved otherwise meanwhile. */
  declareDead(member: Member): void {
    this.learn({ ...member, state: 'dead', accuser: this.self.id })
  }

  /** Outbids an incarnation that somebody holds of an earlier instance of ours. */
  outbid(incarnation: number): void {
    if (this.self.state !== 'alive') return
    if (incarnation >= this.self.incarnation) this.#restate({ ...this.self, incarnation: incarnation + 1 })
  }

  /** Throws LIMIT_EXCEEDED. */
  setMeta(meta: Meta): void {
    const checked = checkedMeta(meta)
    if (this.self.state !== 'alive' || sameMeta(checked, this.self.meta)) return
    this.#restate({ ...this.self, meta: checked, incarnation: this.self.incarnation + 1 })
  }

  /** We are off; `told` is called when this has been gossiped enough. */
  leave(told: () => void): void {
    this.#restate({ ...this.self, state: 'left' }, told)
  }

  stop(): void {
    for (const entry of this.table.entries()) entry.suspicion?.cancel()
  }

  #hearOfSelf(news: News): void {
    const self = this.self
    if (self.state !== 'alive' || !supersedes(news, self)) return
    if (news.instance === self.instance) this.#awareness.add(1)
    this.#counters.refutations++
    this.#log.info(
      { state: news.state, accuser: news.accuser, instance: news.instance },
      'membership refuted'
    )
    this.outbid(news.incarnation)
  }

  /** Others refuse the highest incarnation of all, so we never reach it: then the last word is no longer ours. */
  #restate(stated: Member, told: (() => void) | null = null): void {
    const self = { ...stated, incarnation: Math.min(stated.incarnation, INCARNATION_MAX - 1) }
    this.table.replace(this.#self, self, '', this.#clock.now())
    this.#gossip.add(self.id, encodeNews({ ...self, accuser: '' }), told)
  }

  #meet(news: News, quiet: boolean): void {
    if (!isLive(news)) return
    const entry = this.table.add(news, this.#clock.now())
    if (entry === null) {
      this.#counters.membersRefused++
      if (!this.#refusalLogged)
        this.#log.warn({ member: news.id, max: this.#config.membersMax }, 'too many members')
      this.#refusalLogged = true
      return
    }
    this.#settle(null, entry, quiet)
  }

  #believe(entry: Entry, news: News, quiet: boolean): void {
    const before = entry.member
    const { accuser, ...member } = news
    const sameInstance = member.instance === before.instance
    const keepMeta = (sameInstance && !isLive(member)) || sameMeta(member.meta, before.meta)
    entry.suspicion?.cancel()
    entry.suspicion = null
    this.table.replace(
      entry,
      keepMeta ? { ...member, meta: before.meta } : member,
      accuser,
      this.#clock.now()
    )
    this.#settle(before, entry, quiet)
  }

  /** After an entry has changed: its suspicion, the rumour, and, last, those who want to know. */
  #settle(before: Member | null, entry: Entry, quiet: boolean): void {
    const now = entry.member
    if (now.state === 'suspect') this.#startSuspicion(entry)
    if (!quiet) this.#spread(entry)
    const changes = changesBetween(before, now)
    // The one that died is the instance that was known, even if a newer one has come and gone unnoticed.
    const told = before !== null && !isLive(now) ? { ...before, state: now.state } : now
    for (const change of changes) {
      if (change === 'suspected') this.#counters.suspicions++
      if (change === 'died') this.#counters.deaths++
      this.#log.info(
        { member: told.id, incarnation: now.incarnation, accuser: entry.accuser },
        `member ${change}`
      )
      this.#onChange(told, change)
    }
  }

  #startSuspicion(entry: Entry): void {
    const { suspicionMultiplier, suspicionMaxMultiplier, probeIntervalMs, stallMs } = this.#config
    const minMs = suspicionMinMs(suspicionMultiplier, this.table.liveCount, probeIntervalMs)
    entry.suspicion = new Suspicion({
      clock: this.#clock,
      accuser: entry.accuser,
      wanted: suspicionMaxMultiplier > 1 ? accusersWanted(suspicionMultiplier, this.table.liveCount) : 0,
      minMs,
      maxMs: suspicionMaxMultiplier * minMs,
      lateMs: stallMs,
      onDead: () => this.declareDead(entry.member),
      onStall: () => {
        this.#counters.stalls++
        this.#awareness.add(1)
      }
    })
  }

  #spread(entry: Entry): void {
    this.#gossip.add(entry.member.id, encodeNews({ ...entry.member, accuser: entry.accuser }))
  }
}

function checkedMeta(meta: Meta): Readonly<Meta> {
  encodeMeta(meta)
  return Object.freeze({ ...meta })
}

function isSameSuspicion(news: Member, held: Member): boolean {
  return news.state === 'suspect' && news.incarnation === held.incarnation && news.instance === held.instance
}
