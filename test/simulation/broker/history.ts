// What the clients of a simulated cluster did and saw, and the guarantees held against it (DESIGN: 5).
// A message is named `publisher/topic/number`; numbers count up within a publisher and a topic.

export interface Sent {
  readonly name: string
  readonly publisher: string
  readonly topic: string
  readonly number: number
  readonly qos: 0 | 1
  /** Virtual ms. */
  readonly at: number
  ackedAt: number
}

export interface Received {
  readonly name: string
  readonly qos: 0 | 1
  readonly epoch: number
  readonly offset: number
  readonly at: number
}

/** A subscriber, and since when (virtual ms, both ends) its subscription has stood without a doubt. */
export interface Watcher {
  readonly id: string
  readonly node: string
  readonly matches: (topic: string) => boolean
  readonly received: Received[]
  since: number
  until: number
}

/** Times (virtual ms) at which messages may be lost to subscribers of a node, since it was not a member to all. */
export interface Doubt {
  readonly node: string
  readonly from: number
  until: number
}

export class History {
  readonly sent = new Map<string, Sent>()
  readonly watchers: Watcher[] = []
  readonly doubts: Doubt[] = []

  /** Sentences that say what was broken; empty if nothing was. */
  violations(): string[] {
    const found: string[] = []
    for (const watcher of this.watchers) {
      this.#checkOnce(watcher, found)
      this.#checkPublisherOrder(watcher, found)
      this.#checkNothingLost(watcher, found)
    }
    this.#checkTotalOrder(found)
    return found
  }

  #checkOnce(watcher: Watcher, found: string[]): void {
    const seen = new Set<string>()
    for (const { name } of watcher.received) {
      if (seen.has(name)) found.push(`${watcher.id} got ${name} twice`)
      seen.add(name)
      if (!this.sent.has(name)) found.push(`${watcher.id} got ${name}, which nobody sent`)
    }
  }

  /** In order whatever the QoS; but once a node was taken for dead while it lived, QoS 0 messages on their way to it may be late. */
  #checkPublisherOrder(watcher: Watcher, found: string[]): void {
    const last = new Map<string, number>()
    for (const { name, at } of watcher.received) {
      const sent = this.sent.get(name)
      if (sent === undefined) continue
      if (sent.qos === 0 && this.doubts.some(({ from }) => from <= at)) continue
      const key = `${sent.publisher}/${sent.topic}`
      const before = last.get(key) ?? -1
      if (sent.number < before) found.push(`${watcher.id} got ${name} after number ${before}`)
      last.set(key, Math.max(before, sent.number))
    }
  }

  #checkNothingLost(watcher: Watcher, found: string[]): void {
    const got = new Set(watcher.received.map(({ name }) => name))
    for (const sent of this.sent.values()) {
      if (sent.qos === 0 || sent.ackedAt === -1 || !watcher.matches(sent.topic) || got.has(sent.name))
        continue
      if (sent.at <= watcher.since || sent.ackedAt > watcher.until) continue
      const doubtful = this.doubts.some(
        ({ node, from, until }) => node === watcher.node && from <= sent.ackedAt && sent.at <= until
      )
      if (!doubtful)
        found.push(
          `${watcher.id} on ${watcher.node} never got ${sent.name}, sent at ${sent.at}, acknowledged at ${sent.ackedAt}`
        )
    }
  }

  /** One message a place in a topic's order, for all subscribers; and places only go up. */
  #checkTotalOrder(found: string[]): void {
    const places = new Map<string, string>()
    for (const watcher of this.watchers) {
      const last = new Map<string, number>()
      for (const { name, epoch, offset } of watcher.received) {
        const topic = this.sent.get(name)?.topic ?? ''
        const place = `${topic} ${epoch} ${offset}`
        const other = places.get(place)
        if (other !== undefined && other !== name) found.push(`place ${place} is ${other} and ${name}`)
        places.set(place, name)
        const era = `${topic} ${epoch}`
        if (offset <= (last.get(era) ?? 0))
          found.push(`${watcher.id} got ${name} at ${place}, after offset ${last.get(era)}`)
        last.set(era, offset)
      }
    }
  }
}
