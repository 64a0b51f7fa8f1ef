// upring.use(kv): a key-value store whose values are at two nodes and move with their keys.
export type { Version } from '../records/entry.ts'
export type { Gap } from '../records/live.ts'
export type { RecordsOptions } from '../records/options.ts'
export type { RecordsStatus } from '../records/records.ts'
export { type Kv, type KvEntry, type KvOptions, type KvUpdate, kv, kvOf, type LiveUpdates } from './kv.ts'
