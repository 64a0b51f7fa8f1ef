// A message is a value with streams in its `streams`: the two part before they cross, and meet again behind.
import type { Duplex, Stream } from 'node:stream'

type Streams = Readonly<Record<string, Stream>>

const noStreams: Streams = Object.freeze({})

/** What is to be encoded, and what is to be joined. The message stays as it is. */
export function split(message: unknown): { body: unknown; streams: Streams } {
  if (!hasStreams(message)) return { body: message, streams: noStreams }
  const { streams, ...body } = message
  return { body, streams: streams ?? noStreams }
}

/** A message as it arrives. Under `streams` stands nothing else than streams, whatever the other side has written there. */
export function joined(body: unknown, streams: Readonly<Record<string, Duplex>>): unknown {
  const { body: rest } = split(body)
  if (Object.keys(streams).length === 0) return rest
  return { ...(rest as object | null), streams }
}

/** For an answer that no one waits for. */
export function destroyStreams(message: unknown): void {
  const { streams } = split(message)
  const given = streams as unknown as { destroy?: unknown }
  // One that stands there itself, without a name, is taken for one, too.
  const all = typeof given.destroy === 'function' ? [given] : Object.values(streams)
  for (const each of all) (each as { destroy?: () => void }).destroy?.()
}

function hasStreams(message: unknown): message is { streams?: Streams | null } {
  return typeof message === 'object' && message !== null && Object.hasOwn(message, 'streams')
}
