// This node's own subscriptions: who on it receives the messages of a topic. A row holds all
// subscribers of one filter; rows of exact filters are found by name, those of wildcards by the trie.
// Source: MQTT 5.0, sections 3.3.4 (overlapping subscriptions) and 4.7.
//
//   rows      filter ─▶ Row ─▶ [ Entry, Entry, … ]       every entry stands in one row
//   holders   subscriber ─▶ Holder ─▶ filter ─▶ Entry    and belongs to one holder
import type { QoS } from '../message.ts'
import { isWildcard } from './filter.ts'
import type { Match, Subscriber, Subscription } from './subscription.ts'
import { Trie } from './trie.ts'

export class SubscriptionTable {
  /** Differs whenever `match` may give another answer than before. */
  version = 0
  /** Subscriptions in the table. It has no limit of its own: gateways limit those of a connection. */
  count = 0
  private readonly rows = new Map<string, Row>()
  private readonly wildcards = new Trie<Row>()
  private readonly holders = new Map<Subscriber, Holder>()
  private readonly matching: Row[] = []
  private rowsMade = 0
  private merges = 0

  /**
   * `replaced` is the earlier subscription of the same subscriber and filter, whose place the new one takes;
   * `first` is true if nobody here had subscribed to the filter.
   */
  add(subscription: Subscription): { replaced: Subscription | null; first: boolean } {
    const { subscriber, filter } = subscription
    this.version++
    let holder = this.holders.get(subscriber)
    const known = holder?.entries.get(filter)
    if (known !== undefined) {
      const replaced = known.subscription
      known.subscription = subscription
      return { replaced, first: false }
    }
    if (holder === undefined) {
      holder = new Holder()
      this.holders.set(subscriber, holder)
    }
    let row = this.rows.get(filter)
    const first = row === undefined
    if (row === undefined) {
      row = new Row(filter, this.rowsMade++)
      this.rows.set(filter, row)
      if (isWildcard(filter)) this.wildcards.add(filter, row)
    }
    const entry = new Entry(subscription, holder, row)
    // A literal of one element has room for one; a push would make room for seventeen.
    if (first) row.entries = [entry]
    else row.entries.push(entry)
    holder.entries.set(filter, entry)
    this.count++
    return { replaced: null, first }
  }

  /** `last` is true if nobody here subscribes to the filter any more. Null if there was no such subscription. */
  remove(subscriber: Subscriber, filter: string): { removed: Subscription; last: boolean } | null {
    const holder = this.holders.get(subscriber)
    const entry = holder?.entries.get(filter)
    if (holder === undefined || entry === undefined) return null
    holder.entries.delete(filter)
    if (holder.entries.size === 0) this.holders.delete(subscriber)
    return { removed: entry.subscription, last: this.leaveRow(entry) }
  }

  /** Removes all subscriptions of a subscriber. Returns the filters that nobody here subscribes to any more. */
  removeAll(subscriber: Subscriber): string[] {
    const holder = this.holders.get(subscriber)
    if (holder === undefined) return []
    this.holders.delete(subscriber)
    const deserted: string[] = []
    for (const [filter, entry] of holder.entries) {
      if (this.leaveRow(entry)) deserted.push(filter)
    }
    return deserted
  }

  /** Each filter that has subscribers here, once. */
  filters(): Iterable<string> {
    return this.rows.keys()
  }

  /**
   * One match for each subscriber of a valid topic, in a new array: a subscriber's only matching subscription, or
   * all of them taken together. Their identifiers are in the order in which the filters came into the table.
   * Valid until `version` changes.
   */
  match(topic: string): Match[] {
    const matching = this.matching
    const exact = this.rows.get(topic) // A topic has no wildcards, so what it finds has none.
    if (exact !== undefined) matching.push(exact)
    this.wildcards.match(topic, matching)
    const matches = matching.length > 1 ? this.merge(matching.sort(byOrder)) : allOf(matching[0])
    matching.length = 0
    return matches
  }

  private merge(rows: Row[]): Match[] {
    const stamp = ++this.merges
    const matches: Match[] = []
    for (const row of rows) {
      for (const { subscription, holder } of row.entries) {
        if (holder.stamp !== stamp) {
          holder.stamp = stamp
          holder.place = matches.length
          matches.push(subscription)
          continue
        }
        const known = matches[holder.place]!
        if (known instanceof MergedMatch) known.absorb(subscription)
        else matches[holder.place] = new MergedMatch(known, subscription)
      }
    }
    return matches
  }

  /** Whether it was the last of its row. */
  private leaveRow(entry: Entry): boolean {
    const { row } = entry
    this.version++
    this.count--
    // The last one takes the place that becomes free.
    const moved = row.entries.pop()!
    if (moved !== entry) {
      row.entries[entry.place] = moved
      moved.place = entry.place
    }
    if (row.entries.length > 0) return false
    this.rows.delete(row.filter)
    if (isWildcard(row.filter)) this.wildcards.remove(row.filter, row)
    return true
  }
}

/** Of a row that is not filled yet. */
const none: Entry[] = []

class Row {
  readonly filter: string
  readonly order: number
  entries: Entry[] = none

  constructor(filter: string, order: number) {
    this.filter = filter
    this.order = order
  }
}

class Holder {
  readonly entries = new Map<string, Entry>()
  /** The merge that last met this subscriber, and where in its result it stands. */
  stamp = 0
  place = 0
}

class Entry {
  subscription: Subscription
  readonly holder: Holder
  readonly row: Row
  /** Index in the row's entries. */
  place: number

  constructor(subscription: Subscription, holder: Holder, row: Row) {
    this.subscription = subscription
    this.holder = holder
    this.row = row
    this.place = row.entries.length
  }
}

/** Several subscriptions of one subscriber, taken together for one copy of a message. [MQTT-3.3.4-2] */
class MergedMatch implements Match {
  readonly subscriber: Subscriber
  qos: QoS
  /** Only if none of the subscriptions allows a copy to the publisher itself. */
  noLocal: boolean
  retainAsPublished: boolean
  /** May hold the same identifier twice. [MQTT-3.3.4-4] */
  identifiers: readonly number[]

  constructor(first: Match, second: Match) {
    this.subscriber = first.subscriber
    this.qos = first.qos
    this.noLocal = first.noLocal
    this.retainAsPublished = first.retainAsPublished
    this.identifiers = first.identifiers
    this.absorb(second)
  }

  absorb(other: Match): void {
    if (other.qos > this.qos) this.qos = other.qos
    this.noLocal &&= other.noLocal
    this.retainAsPublished ||= other.retainAsPublished
    if (other.identifiers.length > 0) this.identifiers = [...this.identifiers, ...other.identifiers]
  }
}

function byOrder(a: Row, b: Row): number {
  return a.order - b.order
}

function allOf(row: Row | undefined): Match[] {
  return row === undefined ? [] : row.entries.map(entry => entry.subscription)
}
