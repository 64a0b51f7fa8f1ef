// Finds the stored subscriptions that a topic matches, of all the sessions that are kept here. The trie holds a row a
// filter, and a row its clients by id, so that a filter may have any number of them.
import { Trie } from '../../broker/topics/trie.ts'
import type { StoredSubscription } from './session.ts'

export interface MatchedSubscription extends StoredSubscription {
  clientId: string
}

type Row = Map<string, MatchedSubscription>

export class SubscriptionIndex {
  readonly #rows = new Map<string, Row>()
  readonly #trie = new Trie<Row>()

  /** Takes the place of an earlier one of the same client and filter. */
  add(filter: string, clientId: string, { topic, qos, rh, rap, nl }: StoredSubscription): void {
    let row = this.#rows.get(filter)
    if (row === undefined) {
      row = new Map()
      this.#rows.set(filter, row)
      this.#trie.add(filter, row)
    }
    row.set(clientId, { clientId, topic, qos, rh, rap, nl })
  }

  remove(filter: string, clientId: string): void {
    const row = this.#rows.get(filter)
    if (row === undefined || !row.delete(clientId) || row.size > 0) return
    this.#rows.delete(filter)
    this.#trie.remove(filter, row)
  }

  match(topic: string): MatchedSubscription[] {
    const rows: Row[] = []
    this.#trie.match(topic, rows)
    return rows.flatMap(row => [...row.values()])
  }
}
