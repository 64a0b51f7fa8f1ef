// What a node knows of one topic, all in one object, so that the hot path looks a topic up once and
// then only follows fields: who owns it, who subscribes here, which nodes subscribe, where its order stands.
// `N` is the router's node; this folder knows nothing of it.
import { Buffer } from 'node:buffer'
import type { Message, TopicName } from '../message.ts'
import { hashKey, shardKey } from '../ring/hash.ts'
import { validateTopic } from './filter.ts'
import type { Match } from './subscription.ts'

const noMatches: readonly Match[] = []
/** Publishing instances whose last sequence a topic remembers. */
const TAKEN_ORIGINS_MAX = 256

export class Topic<N extends object> implements TopicName {
  readonly name: string
  readonly bytes: Uint8Array
  /** Its place on the ring. */
  readonly hash: number

  /** The cached fields below are true for this version of the view (see router/view.ts); else refresh first. */
  viewVersion = -1
  owner: N | null = null
  /** Publishes wait here until an old owner has confirmed what it got from this node. */
  held = false
  /** This node owns the topic, but an old owner may still be finishing: publishes wait in `gate`. */
  gated = false
  /** This node owns the topic since the last time all nodes agreed: late subscribers may be missing. */
  gained = false

  matches: readonly Match[] = noMatches
  matchesVersion = -1
  routes: N[] = []
  routesVersion = -1

  /** 0 until this node orders the topic; new at each change of owner. */
  epoch = 0
  offset = 0

  /** Messages of it that wait in the publisher's queue; while there is one, younger ones wait too. */
  waiting = 0

  /** Messages of it are kept for late subscribers. */
  kept = false

  gate: { message: Message; from: N | null }[] | null = null

  /** The place of the newest message that this node's subscribers have got. */
  seenEpoch = 0
  seenOffset = 0
  /** The newest sequence that they have got of the origin that published last, and of others. */
  takenOrigin: object | null = null
  takenSequence = 0
  takenOthers: Map<object, number> | null = null

  /** Set when the table has dropped it: look it up again. */
  evicted = false
  /** Used since the table last looked for topics to drop. */
  used = true

  constructor(name: string, shardLevels: number) {
    this.name = name
    this.bytes = Buffer.from(name)
    this.hash = hashKey(shardKey(name, shardLevels))
  }

  /** Notes the sequence of a message that is about to be delivered here; false if a younger one of its origin was already. */
  isNext(origin: object, sequence: number): boolean {
    if (this.takenOrigin !== origin) {
      if (this.takenOrigin !== null) {
        this.takenOthers ??= new Map()
        if (this.takenOthers.size >= TAKEN_ORIGINS_MAX) {
          const [oldest] = this.takenOthers.keys()
          this.takenOthers.delete(oldest!)
        }
        this.takenOthers.set(this.takenOrigin, this.takenSequence)
      }
      this.takenOrigin = origin
      this.takenSequence = this.takenOthers?.get(origin) ?? 0
    }
    if (sequence < this.takenSequence) return false
    this.takenSequence = sequence
    return true
  }
}

/** All topics a node has met lately, at most `topicsMax`; the least used go first. */
export class TopicTable<N extends object> {
  readonly #topics = new Map<string, Topic<N>>()
  readonly #shardLevels: number
  readonly #topicsMax: number
  /** Topics dropped so far. */
  evictions = 0

  constructor(shardLevels: number, topicsMax: number) {
    this.#shardLevels = shardLevels
    this.#topicsMax = topicsMax
  }

  get size(): number {
    return this.#topics.size
  }

  /** The one object for a topic. Throws TOPIC_INVALID. */
  get(name: string): Topic<N> {
    const known = this.#topics.get(name)
    if (known !== undefined) {
      known.used = true
      return known
    }
    validateTopic(name)
    if (this.#topics.size >= this.#topicsMax) this.#makeRoom()
    const topic = new Topic<N>(name, this.#shardLevels)
    this.#topics.set(name, topic)
    return topic
  }

  values(): IterableIterator<Topic<N>> {
    return this.#topics.values()
  }

  /** Second chance: a topic used since the last look goes to the end; looks at no more than 64 a call. */
  #makeRoom(): void {
    let looked = 0
    for (const [name, topic] of this.#topics) {
      if (looked++ === 64) break
      this.#topics.delete(name)
      const isInUse = topic.gate !== null || topic.waiting > 0 || topic.kept
      if (!isInUse && (!topic.used || looked === 64)) {
        topic.evicted = true
        this.evictions++
        continue
      }
      topic.used = false
      this.#topics.set(name, topic)
    }
  }
}
