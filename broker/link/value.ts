// Values of requests, replies and object streams, as MessagePack. msgpackr decodes trustingly, so the bytes
// are walked first: nothing is allocated for counts that the bytes do not bear out, nothing nests so deep
// that it ends the stack, and no extension of msgpackr's is reached from the wire.
// Source: the MessagePack specification, "Formats".
import { Packr } from 'msgpackr'
import { ShoalError } from '../errors.ts'

/** How deep arrays and maps may nest. */
export const VALUE_DEPTH_MAX = 128

// Without records each value stands for itself: the two sides share no state that could go out of step.
const packr = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true })

/** JSON's values, undefined, bytes, dates, and integers of 64 bits. Throws BAD_REQUEST for what does not fit. */
export function encodeValue(value: unknown): Uint8Array {
  let bytes: Uint8Array
  try {
    bytes = packr.pack(value)
    checkValue(bytes, 0, bytes.length)
  } catch (error) {
    throw new ShoalError('BAD_REQUEST', { body: 'cannot be sent' }, error)
  }
  return bytes
}

/** One value that takes up all the bytes; byte strings in it are views. Throws FRAME_INVALID. */
export function decodeValue(bytes: Uint8Array): unknown {
  checkValue(bytes, 0, bytes.length)
  try {
    return packr.unpack(bytes)
  } catch (error) {
    throw new ShoalError('FRAME_INVALID', { field: 'value' }, error)
  }
}

/** How values cross. Both throw: `encode` BAD_REQUEST, `decode` FRAME_INVALID. What is encoded never changes again. */
export interface ValueCodec {
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}

export const messagePack: ValueCodec = { encode: encodeValue, decode: decodeValue }

const TIMESTAMP = 0xff
const UNDEFINED = 0x00

// How many values are still to come at each depth. Shared: the walk neither waits nor calls out.
const expected = new Float64Array(VALUE_DEPTH_MAX + 1)

function checkValue(bytes: Uint8Array, start: number, end: number): void {
  let at = start
  let depth = 0
  expected[0] = 1
  for (;;) {
    while (expected[depth] === 0) {
      if (depth === 0) {
        if (at !== end) throw invalid('surplus bytes')
        return
      }
      depth--
    }
    expected[depth]!--
    if (at >= end) throw invalid('truncated')
    const type = bytes[at]!
    const head = at + 1
    let children = 0
    if (type < 0x80 || type >= 0xe0) at = head
    else if (type < 0x90) [at, children] = [head, (type & 0x0f) * 2]
    else if (type < 0xa0) [at, children] = [head, type & 0x0f]
    else if (type < 0xc0) at = head + (type & 0x1f)
    else {
      const layout = LAYOUTS[type - 0xc0]!
      if (layout.refused) throw invalid('type')
      if (head + layout.sizeBytes > end) throw invalid('truncated')
      const size = unsigned(bytes, head, layout.sizeBytes)
      at = head + layout.sizeBytes + layout.fixedBytes
      if (layout.children !== 0) children = size * layout.children
      else at += size
      if (layout.isExtension && !isKnownExtension(bytes, head + layout.sizeBytes, end))
        throw invalid('extension')
    }
    // Each value to come takes at least a byte, so a count beyond the end is a lie.
    if (at > end || children > end - at) throw invalid('truncated')
    if (children > 0) {
      if (++depth > VALUE_DEPTH_MAX) throw invalid('depth')
      expected[depth] = children
    }
  }
}

function isKnownExtension(bytes: Uint8Array, at: number, end: number): boolean {
  return at < end && (bytes[at] === TIMESTAMP || bytes[at] === UNDEFINED)
}

interface Layout {
  /** Bytes that tell the size: of the data, or of the container. */
  sizeBytes: number
  /** Bytes that follow whatever the size. */
  fixedBytes: number
  /** Values for each one of the size; 0: the size counts bytes. */
  children: number
  isExtension: boolean
  refused: boolean
}

function layout(sizeBytes: number, fixedBytes: number, children = 0, isExtension = false): Layout {
  return { sizeBytes, fixedBytes, children, isExtension, refused: false }
}

const never: Layout = { sizeBytes: 0, fixedBytes: 0, children: 0, isExtension: false, refused: true }

/** Types 0xc0 to 0xdf. */
const LAYOUTS: readonly Layout[] = [
  layout(0, 0), // nil
  never,
  layout(0, 0), // false
  layout(0, 0), // true
  ...[1, 2, 4].map(size => layout(size, 0)), // bin
  ...[1, 2, 4].map(size => layout(size, 1, 0, true)), // ext: a type, then data
  layout(0, 4), // float 32
  layout(0, 8), // float 64
  ...[1, 2, 4, 8].map(size => layout(0, size)), // uint
  ...[1, 2, 4, 8].map(size => layout(0, size)), // int
  ...[1, 2, 4, 8, 16].map(size => layout(0, 1 + size, 0, true)), // fixext
  ...[1, 2, 4].map(size => layout(size, 0)), // str
  ...[2, 4].map(size => layout(size, 0, 1)), // array
  ...[2, 4].map(size => layout(size, 0, 2)) // map
]

function unsigned(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + i]!
  return value
}

function invalid(value: string): ShoalError {
  return new ShoalError('FRAME_INVALID', { value })
}
