// Lays out a mixture as clients. Topics of a group are `load/<run>/<group>/<publisher>/<topic>`, so that groups
// do not see each other's messages.
import { ShoalError } from '../../broker/errors.ts'
import { carriesText } from '../addresses.ts'
import type { LoadOptions } from '../options.ts'
import { type ClientPlan, checkStreams, counted, ownFilter, type Pace, type Plan, topicsOf } from '../plan.ts'
import { STAMP_BYTES, type StampKind } from '../stamp.ts'
import type { Group, Mixture, Watchers } from './mixture.ts'

/** Lays out a mixture. Throws `LIMIT_EXCEEDED` beyond a million streams, `OPTION_INVALID` for too small a payload. */
export function layOutMixed(mixture: Mixture, options: LoadOptions, runId: string): Plan {
  const { groups, idle } = mixture
  const streams = checkStreams(groups.reduce((sum, group) => sum + group.publishers * group.topics, 0))
  const stamp = stampOf(groups)
  const clients: ClientPlan[] = []
  const paces: Pace[] = []
  let firstStream = 0
  for (const group of groups) {
    clients.push(...publishersOf(group, firstStream, paces.length, options, runId))
    clients.push(...subscribersOf(group, firstStream, options, runId))
    if (group.ratePerSecond > 0) {
      paces.push({ perSecond: group.ratePerSecond, publishers: group.publishers })
    }
    firstStream += group.publishers * group.topics
  }
  for (let i = 0; i < idle; i++) {
    const url = options.subscribeAt[i % options.subscribeAt.length]!
    clients.push({ clientId: `${runId}-i${i}`, url, thread: i % options.threads })
  }
  const names = groups.map(({ name }) => name).join(', ')
  const resting = idle === 0 ? '' : `, ${counted(idle, 'idle connection')}`
  return { clients, streams, paces, stamp, title: mixture.title ?? names, kind: `groups ${names}${resting}` }
}

function stampOf(groups: readonly Group[]): StampKind {
  const urls = groups.flatMap(group => [group.urls, ...group.subscribers.map(one => one.urls)].flat())
  const stamp = urls.some(carriesText) ? 'text' : 'binary'
  for (const { name, payloadBytes } of groups) {
    if (payloadBytes >= STAMP_BYTES[stamp]) continue
    const allowed = `at least ${STAMP_BYTES[stamp]} bytes`
    throw new ShoalError('OPTION_INVALID', { at: `groups.${name}.payload`, value: payloadBytes, allowed })
  }
  return stamp
}

function publishersOf(
  group: Group,
  firstStream: number,
  pace: number,
  { threads }: LoadOptions,
  runId: string
): ClientPlan[] {
  const { name, publishers, topics, urls, qos, payloadBytes, window, batch } = group
  return Array.from({ length: publishers }, (_, i) => ({
    clientId: `${runId}-${name}-p${i}`,
    url: urls[i % urls.length]!,
    thread: i % threads,
    publish: {
      topics: topicsOf(`load/${runId}/${name}`, i, topics),
      firstStream: firstStream + i * topics,
      fanout: group.subscribers.reduce((sum, watchers) => sum + seenBy(watchers, i, publishers), 0),
      qos,
      payloadBytes,
      window,
      batch,
      ...(group.ratePerSecond === 0 ? {} : { pace })
    }
  }))
}

/** How many of `watchers` see what publisher `index` sends. */
function seenBy({ filter, count }: Watchers, index: number, publishers: number): number {
  return filter === 'own' ? Math.ceil(Math.max(0, count - index) / publishers) : count
}

function subscribersOf(
  group: Group,
  firstStream: number,
  { threads }: LoadOptions,
  runId: string
): ClientPlan[] {
  const { name, publishers, topics, payloadBytes } = group
  const prefix = `load/${runId}/${name}`
  return group.subscribers.flatMap(({ count, filter, qos, urls }, place) =>
    Array.from({ length: count }, (_, i) => {
      const own = i % publishers
      const subscribe =
        filter === 'own'
          ? {
              filter: ownFilter(prefix, own, topics),
              firstStream: firstStream + own * topics,
              streams: topics
            }
          : { filter: `${prefix}/${filter}`, firstStream, streams: publishers * topics }
      return {
        clientId: `${runId}-${name}-s${place}-${i}`,
        url: urls[i % urls.length]!,
        thread: i % threads,
        subscribe: { ...subscribe, qos, payloadBytesMax: payloadBytes }
      }
    })
  )
}
