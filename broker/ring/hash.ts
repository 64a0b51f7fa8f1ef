// The hash of the ring: where on the circle of 2^32 places a key, or a point of a node, stands.
// Every node must compute the same places, so it is `fingerprint32`, the same on every platform.
// Source: FarmHash (github.com/google/farmhash), "fingerprint" functions; `hash32` is not portable.
import farmhash from 'farmhash'

/** The place of a key: an integer in 0..2^32 - 1. A string is hashed as its UTF-8 bytes. */
export function hashKey(key: string | Buffer): number {
  return farmhash.fingerprint32(key)
}

/**
 * The key by which a topic, or a filter without wildcards, finds its owner: its first `shardLevels` levels, so that
 * topics which share them share an owner; the whole of it when it has no more than that, or when `shardLevels` is 0.
 */
export function shardKey(topic: string, shardLevels: number): string {
  if (shardLevels === 0) return topic
  let end = -1
  for (let level = 0; level < shardLevels; level++) {
    end = topic.indexOf('/', end + 1)
    if (end === -1) return topic
  }
  return topic.slice(0, end)
}
