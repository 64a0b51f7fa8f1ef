// The members a node knows, itself included, with what has to be answered often: how many live, a
// random one, the circle in which they probe each other, a digest that two nodes compare to see whether they agree.
// Dead and left members stay for a while: so they are known again, and a partition can heal.
import type { Random } from '../runtime/random.ts'
import { isLive, type Member, type News } from './member.ts'
import type { Suspicion } from './suspicion.ts'

/** What is known of a member, and since when. */
export interface Entry {
  member: Member
  /** Who accused it, if it is suspect or dead. */
  accuser: string
  suspicion: Suspicion | null
  /** When its state last changed, ms of the clock. */
  changedAt: number
  /** Its index among the others; -1 for ourselves. */
  position: number
  /** Where it stands in the circle: a hash of its id. */
  readonly place: number
}

export class MemberTable {
  readonly #random: Random
  readonly #membersMax: number
  readonly #deadMax: number
  readonly #entries = new Map<string, Entry>()
  /** All entries but ourselves, in an order that `pick` keeps on shuffling. */
  readonly #others: Entry[] = []
  #live: readonly Member[] | null = null
  #circle: readonly Entry[] | null = null
  #liveCount = 0
  #digest = 0

  constructor(random: Random, membersMax: number, deadMax: number) {
    this.#random = random
    this.#membersMax = membersMax
    this.#deadMax = deadMax
  }

  /** Live members, ourselves included. */
  get liveCount(): number {
    return this.#liveCount
  }

  get deadCount(): number {
    return this.#entries.size - this.#liveCount
  }

  /** 32 bits of the ids, instances and incarnations of all live members; does not depend on their order. */
  get digest(): number {
    return this.#digest
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id)
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values()
  }

  /** Alive and suspect members, ourselves included. The same array until something changes. */
  live(): readonly Member[] {
    this.#live ??= [...this.#entries.values()].map(entry => entry.member).filter(isLive)
    return this.#live
  }

  /** All that are live, ourselves included, in an order that is the same for all who know the same members. Kept until one comes or goes. */
  circle(): readonly Entry[] {
    this.#circle ??= [...this.#entries.values()].filter(entry => isLive(entry.member)).sort(byPlace)
    return this.#circle
  }

  /** Adds a member that is not there yet. Null if the table is full of live ones. `self` is not among those picked. */
  add(news: News, now: number, self = false): Entry | null {
    if (this.#entries.size >= this.#membersMax && !this.#forgetLongestGone()) return null
    const { accuser, ...member } = news
    const entry: Entry = {
      member,
      accuser,
      suspicion: null,
      changedAt: now,
      position: -1,
      place: hash(member.id)
    }
    this.#entries.set(member.id, entry)
    if (!self) {
      entry.position = this.#others.length
      this.#others.push(entry)
    }
    if (isLive(member)) this.#circle = null
    this.#count(member, 1)
    return entry
  }

  /** Puts `member` in the place of what the entry held. May forget the longest gone of the dead. */
  replace(entry: Entry, member: Member, accuser: string, now: number): void {
    this.#count(entry.member, -1)
    if (isLive(entry.member) !== isLive(member)) this.#circle = null
    if (entry.member.state !== member.state) entry.changedAt = now
    entry.member = member
    entry.accuser = accuser
    this.#count(member, 1)
    if (this.deadCount > this.#deadMax) this.#forgetLongestGone()
  }

  /** Forgets the dead and left whose state has not changed since `before`. */
  forgetGone(before: number): void {
    for (const entry of this.#others.filter(entry => !isLive(entry.member) && entry.changedAt < before)) {
      this.#remove(entry)
    }
  }

  /** Up to `count` different random others that `accept` takes. */
  pick(count: number, accept: (member: Member, entry: Entry) => boolean): Member[] {
    const picked: Member[] = []
    const others = this.#others
    for (let i = 0; i < others.length && picked.length < count; i++) {
      this.#swap(i, i + this.#random.integer(others.length - i))
      const entry = others[i]!
      if (accept(entry.member, entry)) picked.push(entry.member)
    }
    return picked
  }

  #swap(i: number, j: number): void {
    const a = this.#others[i]!
    const b = this.#others[j]!
    this.#others[i] = b
    this.#others[j] = a
    b.position = i
    a.position = j
  }

  #forgetLongestGone(): boolean {
    let longest: Entry | null = null
    for (const entry of this.#others) {
      if (!isLive(entry.member) && (longest === null || entry.changedAt < longest.changedAt)) longest = entry
    }
    if (longest !== null) this.#remove(longest)
    return longest !== null
  }

  /** Only of others that are not live. */
  #remove(entry: Entry): void {
    this.#entries.delete(entry.member.id)
    this.#swap(entry.position, this.#others.length - 1)
    this.#others.pop()
  }

  #count(member: Member, sign: 1 | -1): void {
    this.#live = null
    if (!isLive(member)) return
    this.#liveCount += sign
    this.#digest = (this.#digest ^ memberHash(member)) >>> 0
  }
}

function byPlace(a: Entry, b: Entry): number {
  return a.place - b.place || (a.member.id < b.member.id ? -1 : 1)
}

/** What tells one belief about a live member from another. */
function memberHash(member: Member): number {
  return hash(`${member.id} ${member.instance} ${member.incarnation}`)
}

/** FNV-1a, then mixed (murmur3), since hashes of members are joined by XOR. */
function hash(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
