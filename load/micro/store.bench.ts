// The store of retained messages: 100,000 topics, one message each.
import { Message } from '../../broker/message.ts'
import { RetainedStore } from '../../broker/topics/retained.ts'
import type { Bench } from './bench.ts'

const TOPICS = 100_000
const LIMITS = { retainedMax: 2 * TOPICS, retainedBytesMax: 2 ** 30 }

const nameOf = (i: number) => `plant/${i & 1023}/line/${i}/state`

function messages(): Message[] {
  const payload = Buffer.alloc(64, 'x')
  return Array.from({ length: TOPICS }, (_, i) => {
    const name = nameOf(i)
    return new Message({ name, bytes: Buffer.from(name) }, payload, 0, payload.length, 1, true)
  })
}

function filled(): RetainedStore {
  const store = new RetainedStore(LIMITS)
  for (const message of messages()) store.set(message, 1)
  return store
}

export const storeBenches: readonly Bench[] = [
  {
    name: `store: a retained message in place of an older one, ${TOPICS} topics`,
    make() {
      const store = filled()
      const all = messages()
      let stamp = 1
      return times => {
        for (let i = 0; i < times; i++) store.set(all[(i * 7919) % TOPICS]!, ++stamp)
        return store.count
      }
    }
  },
  {
    name: `store: the retained message of a topic, ${TOPICS} topics`,
    make() {
      const store = filled()
      const names = Array.from({ length: 1_024 }, (_, i) => nameOf((i * 7919) % TOPICS))
      return times => {
        let stamps = 0
        for (let i = 0; i < times; i++) stamps += store.get(names[i & 1023]!)!.stamp
        return stamps
      }
    }
  },
  {
    name: `store: a match of a wildcard filter, ${TOPICS} topics`,
    make() {
      const store = filled()
      return times => {
        let found = 0
        // About a hundred topics a filter.
        for (let left = times, i = 0; left > 0; i++) {
          for (const _ of store.match(`plant/${i & 1023}/#`)) {
            found++
            left--
          }
        }
        return found
      }
    }
  }
]
