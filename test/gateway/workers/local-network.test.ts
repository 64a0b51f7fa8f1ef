// The network between workers keeps what every network promises.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Network } from '../../../broker/runtime/network.ts'
import { nodeRuntime } from '../../../broker/runtime/node.ts'
import { LocalNetwork } from '../../../gateway/workers/local-network.ts'
import { readAll, runtimeContract } from '../../runtime/contract.ts'
import { withDeadline } from '../../support/deadline.ts'

const HOST = '127.0.0.1'

/** Nothing beneath: what is not between workers is refused. */
const nowhere: Network = {
  datagram: () => Promise.reject(new Error('beneath')),
  listen: ({ host, port }) => Promise.resolve({ address: { host, port }, close: async () => {} }),
  connect: () => Promise.reject(new Error('beneath'))
}

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

runtimeContract('the network between workers', t => {
  const runtime = nodeRuntime()
  const folder = folderFor(t)
  const [near, far] = [0, 1].map(() => ({
    ...runtime,
    network: new LocalNetwork({ beneath: runtime.network, folder, host: HOST })
  }))
  return {
    near: near!,
    far: far!,
    nearHost: HOST,
    farHost: HOST,
    settle: promise => withDeadline(promise, 'the contract')
  }
})

test('a worker is reached by the address that it listens on, and by the host that the others are told', async t => {
  const folder = folderFor(t)
  const [near, far] = [0, 1].map(() => new LocalNetwork({ beneath: nowhere, folder, host: 'node.example' }))
  const answer = 'from a worker'
  const listener = await far!.listen({ host: HOST, port: 4000 }, stream => stream.resume().end(answer))
  const other = await near!.listen({ host: HOST, port: 4001 }, stream => stream.destroy())
  t.after(() => other.close())
  for (const host of [HOST, 'node.example']) {
    const stream = await near!.connect({ host, port: 4000 }, 1000)
    assert.equal(String(await withDeadline(readAll(stream), 'the end')), answer)
    stream.end()
    await withDeadline(once(stream, 'close'), 'the close')
  }
  for (const elsewhere of [
    { host: 'other.example', port: 4000 },
    { host: HOST, port: 4002 }
  ]) {
    await assert.rejects(near!.connect(elsewhere, 1000), /beneath/)
  }
  await listener.close()
  await assert.rejects(near!.connect({ host: HOST, port: 4000 }, 1000), /beneath/)
  assert.deepEqual(readdirSync(folder), ['4001'])
})
