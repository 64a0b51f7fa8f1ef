// The figures of all nodes of a process, for whichever is asked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerStatus } from '../../../broker/broker.ts'
import { metricsText, type NodeFigures } from '../../../gateway/http/metrics.ts'
import { Gatherer } from '../../../gateway/workers/gatherer.ts'

function figuresOf(id: string, connections: number): NodeFigures {
  const status: Partial<BrokerStatus> = {
    id,
    ready: true,
    members: [],
    links: [],
    ring: { digest: '', nodes: 2, agreed: true },
    counters: { published: connections }
  }
  return { status: status as BrokerStatus, web: {}, mqtt: { connections } }
}

test('requests that come at once ask once, and each gets its own figures and those of the others', async () => {
  let asked = 0
  const gatherer = new Gatherer(() => asked++)
  const answers = [1, 2].map(connections => gatherer.gather(figuresOf('a:1', connections)))
  gatherer.gathered([figuresOf('b:2', 3)])
  const counts = (await Promise.all(answers)).map(nodes => nodes.map(({ mqtt }) => mqtt))
  assert.deepEqual(counts, [
    [{ connections: 1 }, { connections: 3 }],
    [{ connections: 2 }, { connections: 3 }]
  ])
  assert.equal(asked, 1)
  void gatherer.gather(figuresOf('a:1', 1))
  assert.equal(asked, 2)
})

test('samples of one metric stand together, each with its node, and the process is counted once', () => {
  const lines = metricsText([figuresOf('a:1', 1), figuresOf('b:2', 2)], true).split('\n')
  const at = lines.indexOf('# TYPE shoal_mqtt_connections gauge')
  assert.deepEqual(lines.slice(at + 1, at + 3), [
    'shoal_mqtt_connections{node="a:1"} 1',
    'shoal_mqtt_connections{node="b:2"} 2'
  ])
  assert.equal(lines.filter(line => line.startsWith('# TYPE shoal_published_total')).length, 1)
  assert.equal(lines.filter(line => line.startsWith('process_cpu_seconds_total ')).length, 1)
  assert.ok(metricsText([figuresOf('a:1', 1)], false).includes('\nshoal_mqtt_connections 1\n'))
})

test('without a free file descriptor there are metrics all the same, without the memory of the process', t => {
  const figures = figuresOf('a:1', 1)
  assert.ok(metricsText([figures], true).includes('\nprocess_resident_memory_bytes '))
  t.mock.method(process.memoryUsage, 'rss', () => {
    throw new Error('EMFILE: too many open files, uv_resident_set_memory')
  })
  const text = metricsText([figures], true)
  assert.ok(!text.includes('process_resident_memory_bytes'))
  assert.ok(text.includes('\nprocess_uptime_seconds '))
})
