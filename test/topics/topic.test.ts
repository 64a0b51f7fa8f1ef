import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TopicTable } from '../../broker/topics/topic.ts'

describe('the table of topics', () => {
  it('gives one object a topic', () => {
    const topics = new TopicTable<object>(0, 100)
    assert.equal(topics.get('a/b'), topics.get('a/b'))
    assert.notEqual(topics.get('a/b'), topics.get('a/c'))
  })

  it('refuses what is not a topic', () => {
    const topics = new TopicTable<object>(0, 100)
    for (const name of ['', 'a/#', '+', 'a\u0000'])
      assert.throws(() => topics.get(name), { code: 'TOPIC_INVALID' })
    assert.equal(topics.size, 0)
  })

  it('never holds more than its limit, and tells those that it dropped', () => {
    const topics = new TopicTable<object>(0, 100)
    const all = Array.from({ length: 1000 }, (_, index) => topics.get(`t/${index}`))
    assert.ok(topics.size <= 100)
    const kept = new Set(topics.values())
    for (const topic of all) assert.equal(topic.evicted, !kept.has(topic))
  })

  it('keeps a topic in use and drops those that are not', () => {
    const topics = new TopicTable<object>(0, 100)
    const busy = topics.get('busy')
    for (let index = 0; index < 1000; index++) {
      topics.get(`t/${index}`)
      busy.used = true
    }
    assert.equal(busy.evicted, false)
    assert.equal(topics.get('busy'), busy)
  })

  it('keeps a topic whose messages wait at a gate', () => {
    const topics = new TopicTable<object>(0, 10)
    const gated = topics.get('gated')
    gated.gate = []
    gated.used = false
    for (let index = 0; index < 1000; index++) topics.get(`t/${index}`)
    assert.equal(topics.get('gated'), gated)
  })

  it('places topics that share their shard levels together', () => {
    const topics = new TopicTable<object>(2, 100)
    assert.equal(topics.get('a/b/c').hash, topics.get('a/b/d').hash)
    assert.notEqual(topics.get('a/b/c').hash, topics.get('a/x/c').hash)
  })
})
