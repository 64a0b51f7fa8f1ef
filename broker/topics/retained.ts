// The retained message of each topic, at its owner. The last writer wins by stamp, whatever the order
// of arrival; a cleared topic leaves a tombstone for a while, so that no older copy brings it back.
// Source: MQTT 5.0, section 3.3.1.3; DESIGN.md, section 5.6; Kulkarni et al., Logical Physical Clocks (2014).
//
//   messages     topic ─▶ message and stamp      what a new subscriber gets
//   tree         the same, level under level     for wildcard filters
//   tombstones   topic ─▶ stamp                  oldest first
import type { Message } from '../message.ts'
import { isHidden, isWildcard } from './filter.ts'
import { Level } from './level.ts'

export interface Retained {
  readonly message: Message
  /** Hybrid logical clock: an integer below 2^53. */
  readonly stamp: number
}

/** What is known of a topic: its message, or null if it was cleared. */
export interface RetainedEntry {
  readonly topic: string
  readonly message: Message | null
  readonly stamp: number
}

export interface RetainedLimits {
  /** The most messages. */
  retainedMax: number
  /** The most bytes of topics, payloads and properties. */
  retainedBytesMax: number
}

/** The most tombstones, and the most characters of all their topics; beyond, the oldest go. */
export const tombstonesMax = 10_000
export const tombstoneCharactersMax = 4 * 1024 * 1024

export class RetainedStore {
  /** Messages in the store. */
  count = 0
  /** Bytes of their topics, payloads and properties. */
  bytes = 0
  /** Messages that were not stored because a limit was reached. */
  refused = 0
  private readonly limits: RetainedLimits
  private readonly messages = new Map<string, Retained>()
  private readonly tree = new Level<Retained>('', null)
  private readonly cleared = new Map<string, number>()
  private clearedCharacters = 0

  constructor(limits: RetainedLimits) {
    this.limits = limits
  }

  get tombstones(): number {
    return this.cleared.size
  }

  /**
   * Keeps a detached message (the caller does not change it afterwards), or, if its payload is empty, clears the
   * topic. False if something as new or newer is known of the topic, or if a limit is reached, which `refused`
   * counts: a full store keeps what it has, and takes neither a new topic nor a message too large for what is free.
   */
  set(message: Message, stamp: number): boolean {
    const topic = message.topic.name
    if (message.isEmpty) return this.clear(topic, stamp)
    if (stamp <= this.stamp(topic)) return false
    const known = this.messages.get(topic)
    const count = known === undefined ? this.count + 1 : this.count
    const bytes = this.bytes + sizeOf(message) - (known === undefined ? 0 : sizeOf(known.message))
    const grows = known === undefined || bytes > this.bytes
    if (count > this.limits.retainedMax || (grows && bytes > this.limits.retainedBytesMax)) {
      this.refused++
      return false
    }
    const retained = { message, stamp }
    this.bury(topic)
    this.messages.set(topic, retained)
    this.tree.make(topic).value = retained
    this.count = count
    this.bytes = bytes
    return true
  }

  /** Clears a topic and remembers that it did. False if something as new or newer is known of it. */
  clear(topic: string, stamp: number): boolean {
    if (stamp <= this.stamp(topic)) return false
    this.delete(topic)
    this.cleared.set(topic, stamp)
    this.clearedCharacters += topic.length
    for (const oldest of this.cleared.keys()) {
      if (this.cleared.size <= tombstonesMax && this.clearedCharacters <= tombstoneCharactersMax) break
      this.bury(oldest)
    }
    return true
  }

  /** The message of a topic; null if it has none. */
  get(topic: string): Retained | null {
    return this.messages.get(topic) ?? null
  }

  /** Forgets a topic: its message and its tombstone. False if nothing was known of it. */
  delete(topic: string): boolean {
    const buried = this.bury(topic)
    const known = this.messages.get(topic)
    if (known === undefined) return buried
    this.messages.delete(topic)
    this.count--
    this.bytes -= sizeOf(known.message)
    const level = this.tree.at(topic)!
    level.value = null
    level.prune()
    return true
  }

  /**
   * The messages whose topics match a valid filter. The store may change meanwhile: a topic that keeps having a
   * message is given once; one that comes or goes, each time or not. Holds no more than the place it has reached.
   */
  *match(filter: string): Generator<Message, void, undefined> {
    if (!isWildcard(filter)) {
      const known = this.messages.get(filter)
      if (known !== undefined) yield known.message
      return
    }
    const names = filter.split('/')
    const path: Iterator<Level<Retained>>[] = [candidates(this.tree, names[0]!)]
    while (path.length > 0) {
      const next = path[path.length - 1]!.next()
      if (next.done === true) {
        path.pop()
        continue
      }
      const level = next.value
      // '#' stays the name to look for, however deep the path is.
      const wanted = names[path.length - 1] ?? '#'
      const hidden = path.length === 1 && isHidden(level.name) && (wanted === '+' || wanted === '#')
      if (hidden) continue // [MQTT-4.7.2-1]
      const following = wanted === '#' ? '#' : names[path.length]
      const ends = following === undefined || following === '#'
      if (ends && level.value !== null) yield level.value.message
      if (following !== undefined) path.push(candidates(level, following))
    }
  }

  /** All that is known, tombstones included: what a new owner is handed. The store may change meanwhile. */
  *entries(): Generator<RetainedEntry, void, undefined> {
    for (const [topic, { message, stamp }] of this.messages) yield { topic, message, stamp }
    for (const [topic, stamp] of this.cleared) yield { topic, message: null, stamp }
  }

  /** Forgets tombstones with a stamp below `beforeStamp`. Returns how many. */
  prune(beforeStamp: number): number {
    let pruned = 0
    for (const [topic, stamp] of this.cleared) {
      if (stamp < beforeStamp && this.bury(topic)) pruned++
    }
    return pruned
  }

  /** The stamp of what is known of a topic; below any other if nothing is. */
  stamp(topic: string): number {
    return this.messages.get(topic)?.stamp ?? this.cleared.get(topic) ?? Number.NEGATIVE_INFINITY
  }

  /** Removes a tombstone; false if there is none. */
  private bury(topic: string): boolean {
    if (!this.cleared.delete(topic)) return false
    this.clearedCharacters -= topic.length
    return true
  }
}

function sizeOf(message: Message): number {
  const properties = message.properties === null ? 0 : message.properties.length
  return message.topic.bytes.length + message.payloadEnd - message.payloadStart + properties
}

/** The children of a level that a name of a filter can mean. */
function candidates(level: Level<Retained>, name: string): Iterator<Level<Retained>> {
  if (name === '+' || name === '#') return level.kids()
  const child = level.child(name)
  return (child === null ? [] : [child]).values()
}
