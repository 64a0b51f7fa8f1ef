// What nodes say to each other about their records, checked: a peer may run another version of the program.
//
//   ns:<namespace>
//     cmd:copy   { from, record }        → { newer }      the owner to its replica: keep this
//     cmd:pull   { view, ranges }        → { leavers, streams: { records } }   a new owner to everyone: what do you have?
//     cmd:offer  { records }             → { safe, wanted }    whoever holds what is not its own, to the owner
//     cmd:give   { records }             → {}             what was wanted
//
// A record is [key, revision, stamp, by, value or null]; an offer leaves the value out.
import { ShoalError } from '../../errors.ts'
import type { Snapshot, Version } from './entry.ts'
import { Ranges } from './ranges.ts'

export type WireRecord = readonly [
  key: string,
  revision: number,
  stamp: number,
  by: string,
  value?: Uint8Array | null
]

export function encodeRecord({ key, revision, stamp, by, value }: Snapshot): WireRecord {
  return [key, revision, stamp, by, value]
}

export function encodeVersion({ key, revision, stamp, by }: Version & { key: string }): WireRecord {
  return [key, revision, stamp, by]
}

/** Its value is a copy: what arrives is a view of a link's buffer. Throws BAD_REQUEST. */
export function decodeRecord(value: unknown): Snapshot {
  if (Array.isArray(value)) {
    const [key, revision, stamp, by, bytes = null] = value as unknown[]
    const isVersion = Number.isSafeInteger(revision) && Number.isSafeInteger(stamp) && typeof by === 'string'
    if (typeof key === 'string' && isVersion && (bytes === null || bytes instanceof Uint8Array)) {
      const copy = bytes === null ? null : new Uint8Array(bytes)
      return { key, revision: revision as number, stamp: stamp as number, by, value: copy }
    }
  }
  throw new ShoalError('BAD_REQUEST', { expected: 'a record' })
}

export function decodeRecords(value: unknown): Snapshot[] {
  return listOf(value).map(decodeRecord)
}

/** Throws BAD_REQUEST. */
export function decodeTexts(value: unknown): string[] {
  return listOf(value).map(each => {
    if (typeof each !== 'string') throw new ShoalError('BAD_REQUEST', { expected: 'texts' })
    return each
  })
}

/** Throws BAD_REQUEST. */
export function decodeRanges(value: unknown): Ranges {
  const ranges = new Ranges()
  for (const each of listOf(value)) {
    const [start, end] = listOf(each)
    if (typeof start !== 'number' || typeof end !== 'number')
      throw new ShoalError('BAD_REQUEST', { expected: 'ranges' })
    ranges.add(start, end)
  }
  return ranges
}

function listOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new ShoalError('BAD_REQUEST', { expected: 'a list' })
  return value
}

/** Records in lists of about so many bytes, each as large as its bytes and some more. */
export function* pagesOf(records: Iterable<Snapshot>, bytesMax: number): Generator<WireRecord[]> {
  let page: WireRecord[] = []
  let bytes = 0
  for (const record of records) {
    page.push(encodeRecord(record))
    bytes += record.key.length + (record.value?.length ?? 0) + 64
    if (bytes < bytesMax) continue
    yield page
    page = []
    bytes = 0
  }
  if (page.length > 0) yield page
}
