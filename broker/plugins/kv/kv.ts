// A key-value store on a ring. A value is at two nodes before `put` is answered; when nodes come, go or die, it moves with its
// key. `liveUpdates` follows a key from owner to owner.
// Source: upring-kv, whose names and meanings these are.
import type { Readable } from 'node:stream'
import { ShoalError } from '../../errors.ts'
import { messagePack } from '../../link/value.ts'
import type { Plugin, Upring } from '../../upring/api.ts'
import type { ReceivedMessage, RequestCallback } from '../../upring/message.ts'
import type { Snapshot, Version } from '../records/entry.ts'
import { Live, versionOf } from '../records/live.ts'
import { mustBeKey, type RecordsOptions, recordsOptionsOf } from '../records/options.ts'
import { Records, type RecordsStatus } from '../records/records.ts'

/** Bounds, each with what happens at it: see `RecordsOptions`. `namespace` is `kv` unless given. */
export type KvOptions = Partial<RecordsOptions>

/** What is under a key, or was when it was read. */
export interface KvEntry<Value = unknown> {
  /** Undefined when the key was deleted, or never was. */
  readonly value: Value | undefined
  /** Null: never was. */
  readonly version: Version | null
}

/** What a live stream with `versions` yields. */
export interface KvUpdate<Value = unknown> extends KvEntry<Value> {
  /** How many changes before this one it does not show; null: nobody knows. */
  readonly missed: number | null
}

/**
 * A readable stream of objects, thus an async iterator: the present value, if there is one, and then each value that is put;
 * undefined for a deletion. Emits `newStream` when it has reached an owner, the first or the next; `gap` with a `Gap` as soon
 * as it knows that it has missed something. It ends with its node, or by `destroy`; an owner that feeds too many fails it with LIMIT_EXCEEDED.
 */
export type LiveUpdates = Readable

export interface Kv {
  /** Undefined when there is none. Every `get` that begins after a `put` was answered finds it, or what came later. */
  get<Value = unknown>(key: string): Promise<Value | undefined>
  get<Value = unknown>(key: string, callback: RequestCallback<Value | undefined>): void
  /** As `get`, with the version. */
  entry<Value = unknown>(key: string): Promise<KvEntry<Value>>
  /**
   * Settles when the owner and its replica have the value, with its version. Any value that MessagePack can carry but null and
   * undefined. When it fails by TIMEOUT the value may have been put or not. When the owner dies before it has answered, the value may
   * be put twice, as two versions. Fails with LIMIT_EXCEEDED, PAYLOAD_TOO_LARGE, BAD_REQUEST, and as `Upring.request`.
   */
  put(key: string, value: unknown): Promise<Version>
  put(key: string, value: unknown, callback: RequestCallback<Version>): void
  /** As `put`. The version is that of the deletion; null: there was nothing. */
  delete(key: string): Promise<Version | null>
  delete(key: string, callback: RequestCallback<Version | null>): void
  /** With `versions` it yields `KvUpdate`s. Throws BAD_REQUEST, LIMIT_EXCEEDED. */
  liveUpdates(key: string, options?: { versions?: boolean }): LiveUpdates
  readonly status: RecordsStatus
}

/** `upring.use(kv)`; from `up` on there is `upring.kv`. */
export const kv: Plugin<KvOptions> = async (upring, options) => {
  if ('kv' in upring) throw new ShoalError('OPTION_INVALID', { use: 'kv is there already' })
  const store = new KvNode(upring, recordsOptionsOf('kv', options))
  Object.defineProperty(upring, 'kv', { value: store })
  upring.onClose(() => store.close())
}

/** `upring.kv`, typed. Throws OPTION_INVALID before the plugin is loaded. */
export function kvOf(upring: Upring): Kv {
  if ('kv' in upring && upring.kv instanceof KvNode) return upring.kv
  throw new ShoalError('OPTION_INVALID', { use: 'kv is not loaded' })
}

class KvNode implements Kv {
  readonly #upring: Upring
  readonly #records: Records
  readonly #namespace: string
  readonly #live = new Set<Live>()

  constructor(upring: Upring, options: RecordsOptions) {
    this.#upring = upring
    this.#namespace = options.namespace
    this.#records = new Records(upring, options, { seen: () => {}, lost: () => {} })
    const ns = `ns:${options.namespace}`
    upring.add(`${ns},cmd:put`, async ({ key, value }) => {
      if (!(value instanceof Uint8Array)) throw new ShoalError('BAD_REQUEST', { expected: 'a value' })
      const bytes = new Uint8Array(value)
      return versionOf(await this.#records.write(mustBeKey(key), () => bytes))
    })
    upring.add(`${ns},cmd:delete`, async ({ key }) => {
      const snapshot = await this.#records.write(mustBeKey(key), () => null)
      return snapshot.revision === 0 ? {} : versionOf(snapshot)
    })
    upring.add(`${ns},cmd:get`, async ({ key }) => {
      const { revision, stamp, by, value } = await this.#records.read(mustBeKey(key))
      return { revision, stamp, by, value }
    })
    upring.add(`${ns},cmd:liveUpdates`, async ({ key }) => ({
      streams: { updates: await this.#records.watch(mustBeKey(key)) }
    }))
  }

  get status(): RecordsStatus {
    return this.#records.status
  }

  get<Value>(key: string): Promise<Value | undefined>
  get<Value>(key: string, callback: RequestCallback<Value | undefined>): void
  get<Value>(key: string, callback?: RequestCallback<Value | undefined>): Promise<Value | undefined> {
    return answer(
      this.entry<Value>(key).then(({ value }) => value),
      callback
    )
  }

  async entry<Value>(key: string): Promise<KvEntry<Value>> {
    return entryOf<Value>(await this.#ask('get', key))
  }

  put(key: string, value: unknown): Promise<Version>
  put(key: string, value: unknown, callback: RequestCallback<Version>): void
  put(key: string, value: unknown, callback?: RequestCallback<Version>): Promise<Version> {
    const put = async (): Promise<Version> => {
      if (value === undefined || value === null) throw new ShoalError('BAD_REQUEST', { expected: 'a value' })
      const bytes = messagePack.encode(value)
      const { valueBytesMax } = this.#records.options
      if (bytes.length > valueBytesMax)
        throw new ShoalError('PAYLOAD_TOO_LARGE', { key, bytes: bytes.length, valueBytesMax })
      return mustBeVersion(await this.#ask('put', key, bytes))
    }
    return answer(put(), callback)
  }

  delete(key: string): Promise<Version | null>
  delete(key: string, callback: RequestCallback<Version | null>): void
  delete(key: string, callback?: RequestCallback<Version | null>): Promise<Version | null> {
    return answer(
      this.#ask('delete', key).then(reply => (reply['revision'] === undefined ? null : mustBeVersion(reply))),
      callback
    )
  }

  liveUpdates(key: string, { versions = false }: { versions?: boolean } = {}): LiveUpdates {
    mustBeKey(key)
    const { watchersMax } = this.#records.options
    if (this.#live.size >= watchersMax)
      throw new ShoalError('LIMIT_EXCEEDED', { limit: 'watchersMax', max: watchersMax })
    const live = new Live({
      upring: this.#upring,
      namespace: this.#namespace,
      key,
      yields: (snapshot, missed) => (versions ? { ...entryOf(snapshot), missed } : decoded(snapshot.value))
    })
    this.#live.add(live)
    live.once('close', () => this.#live.delete(live))
    return live
  }

  async close(): Promise<void> {
    for (const live of this.#live) live.finish()
    await this.#records.close()
  }

  async #ask(cmd: string, key: string, value?: Uint8Array): Promise<ReceivedMessage> {
    mustBeKey(key)
    return await this.#upring.request({
      ns: this.#namespace,
      cmd,
      key,
      ...(value === undefined ? {} : { value })
    })
  }
}

function answer<T>(promise: Promise<T>, callback: RequestCallback<T> | undefined): Promise<T> {
  if (callback === undefined) return promise
  promise.then(
    value => callback(null, value),
    error => callback(error, undefined as T)
  )
  return promise
}

function decoded(bytes: unknown): unknown {
  return bytes instanceof Uint8Array ? messagePack.decode(bytes) : undefined
}

function entryOf<Value>(message: Partial<Snapshot> | ReceivedMessage): KvEntry<Value> {
  const version = mustBeVersion(message)
  const value = decoded(message.value) as Value | undefined
  return { value, version: version.revision === 0 ? null : version }
}

function mustBeVersion({ revision, stamp, by }: Partial<Snapshot> | ReceivedMessage): Version {
  if (typeof revision !== 'number' || typeof stamp !== 'number' || typeof by !== 'string')
    throw new ShoalError('BAD_REQUEST', { expected: 'a version' })
  return { revision, stamp, by }
}
