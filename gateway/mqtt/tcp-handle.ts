// A TCP connection as a ByteTransport without the stream that Node puts on top of it: a third of the
// memory, half the CPU time of a connect, and all connections read into one buffer. The handles below
// Node's sockets are not documented, so everything this file takes of them is looked at before it is used;
// where anything is not as expected, connections are sockets of node:net (see tcp.ts).
//
//   kernel ──read──▶ the one input buffer ──copy──▶ a chunk of the user's own
//          ◀─write── bytes at once; what the kernel does not take, libuv keeps and writes later
//
// Source: lib/net.js, lib/internal/stream_base_commons.js and src/stream_base.cc of Node 20, 22 and 24.
import type { Server } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { copyBytes } from './copy.ts'
import type { ByteTransport, TransportUser } from './transport.ts'

/** What one read takes at most. */
const INPUT_BYTES = 65_536
/** libuv's number for "the other end sends no more", on all systems. */
const END_OF_FILE = -4095

/** A connection as the system's event loop has it. All calls but `close` return 0, or a negative error. */
interface Handle {
  /** Who has the handle; ours to set. */
  transport: HandleTransport
  /** Told of each read; how it went is in `streamBaseState`. What it returns replaces the input buffer. */
  onread: (this: Handle) => undefined
  /** The memory that reads go to, for as long as the handle lives. */
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  /** Writes what the kernel takes now. If something is left, it belongs to the request until that is complete. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  shutdown(request: Request): number
  setNoDelay(on: boolean): number
  getpeername(into: { address?: string }): number
  close(done: (this: Handle) => void): void
}

interface Request {
  oncomplete: (this: never, status: number, handle: Handle) => void
}

interface WriteRequest extends Request {
  /** Keeps the bytes from the garbage collector. */
  bytes: Uint8Array | null
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => Request
  /** How the last read and the last write went. */
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

/** The handle of a listening server. */
interface ListeningHandle {
  onconnection: (this: ListeningHandle, status: number, handle: unknown) => void
}

const METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'shutdown',
  'setNoDelay',
  'getpeername',
  'close'
] as const satisfies readonly (keyof Handle)[]

/**
 * Has a listening server hand its connections to `accept` instead of making sockets of them. False if this Node does
 * not let it. A handle that is not as it should be still becomes a socket, for the server's 'connection'.
 */
export function acceptHandles(server: Server, accept: (transport: HandleTransport) => void): boolean {
  const listening = (server as unknown as { _handle?: Partial<ListeningHandle> | null })._handle
  const makeSocket = listening?.onconnection
  if (binding === null || !listening || typeof makeSocket !== 'function') return false
  listening.onconnection = function (status, handle) {
    // Also errors (no more file descriptors) are the server's.
    if (status !== 0 || !isHandle(handle)) makeSocket.call(this, status, handle)
    else accept(new HandleTransport(handle))
  }
  return true
}

const binding = findBinding()
const state = binding?.streamBaseState ?? new Int32Array(1)
const READ_BYTES_OR_ERROR = binding?.kReadBytesOrError ?? 0
const LAST_WRITE_WAS_ASYNC = binding?.kLastWriteWasAsync ?? 0
/** Where all connections read to: what is in it is copied before the loop reads again. */
const input = Buffer.allocUnsafeSlow(binding === null ? 0 : INPUT_BYTES)
/** The request of the next write: one that the kernel takes whole leaves it as it was. */
let spare: WriteRequest | null = null
/** The prototype of handles that have all that is needed. */
let known: unknown = null

export class HandleTransport implements ByteTransport {
  writable = true
  /** Null once it is closed or closing. */
  handle: Handle | null
  user: TransportUser | null = null
  /** Writes that the kernel has not taken whole. */
  writes = 0
  paused = false
  /** The loop reads on: it goes on after `pause` until something comes. */
  reading = false
  /** `end` was called. */
  ending = false
  /** Our side has ended: all that was written is sent. */
  shut = false
  /** The other side has ended. */
  ended = false
  /** The system's error that closed it; 0: none. */
  failure = 0

  constructor(handle: Handle) {
    this.handle = handle
    handle.transport = this
    handle.onread = onRead
    handle.setNoDelay(true)
  }

  get remoteAddress(): string {
    const name: { address?: string } = {}
    this.handle?.getpeername(name)
    return name.address ?? ''
  }

  /** Names who is told, and begins to read. */
  open(user: TransportUser): void {
    this.user = user
    this.handle?.useUserBuffer(input)
    this.resume()
  }

  write(bytes: Uint8Array): void {
    const { handle } = this
    if (handle === null || this.ending || bytes.length === 0) return
    spare ??= newWrite()
    const request = spare
    const status = handle.writeBuffer(request, bytes)
    if (status !== 0) return this.fail(status)
    // Mostly the kernel takes everything, and the request has not been used.
    if (state[LAST_WRITE_WAS_ASYNC] === 0) return
    request.bytes = bytes
    spare = null
    this.writes++
    this.writable = false
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    if (this.handle === null || this.reading || this.ended) return
    this.reading = true
    const status = this.handle.readStart()
    if (status !== 0) this.fail(status)
  }

  end(): void {
    if (this.handle === null || this.ending) return
    this.ending = true
    // To close is to end, too, where nothing is waited for.
    if (this.ended && this.writes === 0) return this.destroy()
    const request = new binding!.ShutdownWrap()
    request.oncomplete = onShutdown
    const status = this.handle.shutdown(request)
    if (status !== 0) return this.destroy()
    // The other side's end is waited for; what comes before it is the user's to ignore.
    this.resume()
  }

  destroy(): void {
    const { handle } = this
    if (handle === null) return
    this.handle = null
    handle.close(onClosed)
  }

  // What the loop tells. The handle is closed when it is null: then nothing more is passed on.

  read(bytesOrError: number): void {
    const { handle, user } = this
    if (handle === null || user === null || bytesOrError === 0) return
    if (bytesOrError > 0) {
      if (this.paused) {
        this.reading = false
        handle.readStop()
      }
      const chunk = Buffer.allocUnsafe(bytesOrError)
      copyBytes(chunk, 0, input, 0, bytesOrError)
      return user.onData(chunk)
    }
    if (bytesOrError !== END_OF_FILE) return this.fail(bytesOrError)
    this.ended = true
    if (this.shut) this.destroy()
    else user.onEnd()
  }

  written(status: number): void {
    if (this.handle === null) return
    if (status !== 0) return this.fail(status)
    this.writes--
    if (this.writes > 0) return
    this.writable = true
    this.user?.onWritable()
  }

  shutDown(status: number): void {
    this.shut = true
    if (status !== 0 || this.ended) this.destroy()
  }

  fail(status: number): void {
    if (this.handle === null) return
    this.failure = status
    this.destroy()
  }
}

function newWrite(): WriteRequest {
  const request = new binding!.WriteWrap()
  request.oncomplete = onWritten
  return request
}

function onRead(this: Handle): undefined {
  this.transport.read(state[READ_BYTES_OR_ERROR]!)
}

function onWritten(this: WriteRequest, status: number, handle: Handle): void {
  this.bytes = null
  handle.transport.written(status)
}

function onShutdown(this: Request, status: number, handle: Handle): void {
  handle.transport.shutDown(status)
}

function onClosed(this: Handle): void {
  const { user, failure } = this.transport
  user?.onClose(failure === 0 ? undefined : errorOf(failure))
}

function errorOf(status: number): Error {
  const code = getSystemErrorName(status)
  return Object.assign(new Error(`connection failed: ${code}`), { code })
}

function findBinding(): StreamBinding | null {
  // Not tried there.
  if (process.platform === 'win32') return null
  try {
    const found = (process as unknown as { binding(name: string): Partial<StreamBinding> }).binding(
      'stream_wrap'
    )
    const isWhole =
      typeof found.WriteWrap === 'function' &&
      typeof found.ShutdownWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === 'number' &&
      typeof found.kLastWriteWasAsync === 'number'
    return isWhole ? (found as StreamBinding) : null
  } catch {
    return null
  }
}

/** Looks once at what all handles have in common. */
function isHandle(handle: unknown): handle is Handle {
  if (typeof handle !== 'object' || handle === null) return false
  const prototype: unknown = Object.getPrototypeOf(handle)
  if (prototype === known) return true
  const candidate = handle as Partial<Handle>
  if (!('onread' in handle) || !METHODS.every(name => typeof candidate[name] === 'function')) return false
  known = prototype
  return true
}
