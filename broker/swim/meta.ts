// What a member says of itself besides its address: a few small values under short names,
// carried with every rumour of it, hence at most 512 bytes.
//
//   count u8 │ { name length u8, name, kind u8: 0 false 1 true 2 number 3 text, [f64 | length u16, text] } ...
import { ShoalError } from '../errors.ts'
import type { Reader } from './reader.ts'
import { Writer } from './writer.ts'

export type Meta = Record<string, string | number | boolean>

export const META_BYTES_MAX = 512

/** Members of one cluster say much the same of themselves, again and again: what was decoded once, by its bytes. */
const decoded = new Map<string, Readonly<Meta>>()
/** All are forgotten when there would be more. */
const DECODED_MAX = 1024
/** The other way: a member's meta is encoded with each rumour of it and each full state, and never changes. */
const encoded = new WeakMap<Readonly<Meta>, Uint8Array>()

/** The meta in bytes, not to be changed. Throws LIMIT_EXCEEDED above 512 bytes or 255 names, or for a name longer than 255 bytes. */
export function encodeMeta(meta: Readonly<Meta>): Uint8Array {
  const known = encoded.get(meta)
  if (known !== undefined) return known
  const entries = Object.entries(meta)
  if (entries.length > 255) throw new ShoalError('LIMIT_EXCEEDED', { limit: 'meta names', max: 255 })
  const writer = new Writer(64)
  writer.u8(entries.length)
  for (const [name, value] of entries) {
    writer.shortText(name)
    if (typeof value === 'boolean') writer.u8(value ? 1 : 0)
    else if (typeof value === 'number') {
      writer.u8(2)
      writer.f64(value)
    } else {
      writer.u8(3)
      writer.longText(value)
    }
  }
  if (writer.length > META_BYTES_MAX) {
    throw new ShoalError('LIMIT_EXCEEDED', { limit: 'meta bytes', max: META_BYTES_MAX, got: writer.length })
  }
  const bytes = writer.finish()
  if (Object.isFrozen(meta)) encoded.set(meta, bytes)
  return bytes
}

/** The meta at the reader; the same object for the same bytes. Throws PACKET_INVALID. */
export function decodeMeta(reader: Reader): Readonly<Meta> {
  const start = reader.offset
  skipMeta(reader)
  const end = reader.offset
  if (end - start > META_BYTES_MAX) throw reader.invalid('too much meta')
  reader.offset = start
  const bytes = reader.bytes(end - start)
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  let meta = decoded.get(key)
  if (meta === undefined) {
    reader.offset = start
    meta = readMeta(reader)
    if (decoded.size >= DECODED_MAX) decoded.clear()
    decoded.set(key, meta)
  }
  return meta
}

/** Moves the reader behind the meta. */
function skipMeta(reader: Reader): void {
  for (let left = reader.u8(); left > 0; left--) {
    reader.bytes(reader.u8())
    const kind = reader.u8()
    if (kind === 2) reader.bytes(8)
    else if (kind === 3) reader.bytes(reader.u16())
  }
}

function readMeta(reader: Reader): Readonly<Meta> {
  const entries = new Map<string, string | number | boolean>()
  for (let left = reader.u8(); left > 0; left--) {
    const name = reader.shortText()
    if (entries.has(name)) throw reader.invalid('a meta name twice')
    const kind = reader.u8()
    if (kind > 3) throw reader.invalid('unknown kind of meta')
    entries.set(name, kind < 2 ? kind === 1 : kind === 2 ? reader.f64() : reader.longText())
  }
  // Not by assignment: a name may be `__proto__`.
  return Object.freeze(Object.fromEntries(entries))
}

export function sameMeta(a: Readonly<Meta>, b: Readonly<Meta>): boolean {
  if (a === b) return true
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every(name => Object.hasOwn(b, name) && Object.is(a[name], b[name]))
  )
}
