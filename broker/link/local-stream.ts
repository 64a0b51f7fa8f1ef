// A stream of the program as it is given to a request or a reply: which halves it has to offer. It may be one of Node, or of
// a library that is like them (readable-stream, through2): what counts is what it can do, not whose it is.
import type { Stream } from 'node:stream'
import { ShoalError } from '../errors.ts'
import { NAME_BYTES_MAX } from './frame.ts'
import type { Content, StreamShape } from './stream.ts'

/** The members of either kind that are looked at. */
interface Like {
  readable?: unknown
  writable?: unknown
  read?: unknown
  write?: unknown
  _transform?: unknown
  destroy?: unknown
  _readableState?: { objectMode?: boolean; flowing?: boolean | null }
  _writableState?: { objectMode?: boolean }
  listenerCount(event: string): number
}

export function contentOf(exists: boolean, isObjects: boolean): Content {
  if (!exists) return null
  return isObjects ? 'objects' : 'bytes'
}

/**
 * The end of the link that goes with a local stream: it writes what that one reads. Of a transform that no one reads yet both
 * halves are offered, or only the readable one. Throws BAD_REQUEST for what is no open stream.
 */
export function halvesOf(
  name: string,
  local: Stream,
  transforms: 'both' | 'readable'
): Omit<StreamShape, 'id'> {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX)
    throw new ShoalError('BAD_REQUEST', { stream: name, bytesMax: NAME_BYTES_MAX })
  const like = local as unknown as Like | null | undefined
  let readable = typeof like?.read === 'function' && like.readable !== false
  let writable = typeof like?.write === 'function' && like.writable !== false
  if (readable && writable && typeof like?._transform === 'function') {
    // Whoever reads it here would share its output with a far side that may not read, and wait for it.
    if (isRead(like)) readable = false
    else if (transforms === 'readable') writable = false
  }
  if (!readable && !writable) throw new ShoalError('BAD_REQUEST', { stream: name, is: 'not an open stream' })
  return {
    name,
    writes: contentOf(readable, like?._readableState?.objectMode === true),
    reads: contentOf(writable, like?._writableState?.objectMode === true)
  }
}

function isRead(like: Like): boolean {
  const isFlowing = typeof like._readableState?.flowing === 'boolean'
  return isFlowing || like.listenerCount('data') > 0 || like.listenerCount('readable') > 0
}

/** Its program may not listen to it yet, or no more: that must not end the process. */
export function destroyLocal(local: Stream, error: Error): void {
  const like = local as { destroy?: (error: Error) => void }
  if (typeof like.destroy !== 'function') return
  local.on('error', () => {})
  like.destroy(error)
}
