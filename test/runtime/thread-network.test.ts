// The network between threads keeps what every network promises; two of them in one thread are as good as in two.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { MessageChannel, Worker } from 'node:worker_threads'
import fc from 'fast-check'
import type { Address, Network } from '../../broker/runtime/network.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { Sibling } from '../../broker/runtime/sibling.ts'
import { ThreadNetwork } from '../../broker/runtime/thread-network.ts'
import { withDeadline } from '../support/deadline.ts'
import { deferred } from '../support/deferred.ts'
import { readAll, runtimeContract } from './contract.ts'
import { acts, checkHistory } from './stream-pair.ts'

const HOST = '127.0.0.1'

/** Nothing beneath: what is not through memory is refused. */
const nowhere: Network = {
  datagram: () => Promise.reject(new Error('no datagrams')),
  listen: at => Promise.resolve({ address: { host: at.host, port: at.port || 7979 }, close: async () => {} }),
  connect: () => Promise.reject(new Error('beneath'))
}

function pairOver(t: TestContext, beneath: Network): [Network, Network] {
  const { clock } = nodeRuntime()
  const { port1, port2 } = new MessageChannel()
  const [near, far] = [port1, port2].map(port => {
    const sibling = new Sibling(port)
    t.after(() => sibling.close())
    return new ThreadNetwork({ beneath, clock, host: 'node.example', siblings: [sibling] })
  })
  return [near!, far!]
}

runtimeContract('the network between threads', t => {
  const runtime = nodeRuntime()
  const [near, far] = pairOver(t, runtime.network)
  const over = (network: Network): Runtime => ({ ...runtime, network })
  return {
    near: over(near),
    far: over(far),
    nearHost: HOST,
    farHost: HOST,
    settle: promise => withDeadline(promise, 'the contract')
  }
})

test('whatever two ends do, a stream through memory comes out as a socket does', async t => {
  const { network } = nodeRuntime()
  const [near, far] = pairOver(t, nowhere)
  await fc.assert(
    fc.asyncProperty(acts, history => checkHistory(near, far, history)),
    { numRuns: 150 }
  )
  await fc.assert(
    fc.asyncProperty(acts, history => checkHistory(network, network, history)),
    { numRuns: 30 }
  )
})

test('a sibling is reached by the address that it listens on, and by the host that the others are told', async t => {
  const [near, far] = pairOver(t, nowhere)
  const listener = await far.listen({ host: HOST, port: 4000 }, stream => quiet(stream).resume().end())
  for (const host of [HOST, 'node.example']) {
    const stream = await near.connect({ host, port: 4000 }, 1000)
    assert.equal((await withDeadline(readAll(stream), 'the end')).length, 0)
    stream.end()
    await withDeadline(once(stream, 'close'), 'the close')
  }
  for (const elsewhere of [
    { host: 'other.example', port: 4000 },
    { host: HOST, port: 4001 }
  ]) {
    await assert.rejects(near.connect(elsewhere, 1000), /beneath/)
  }
  await listener.close()
  await assert.rejects(near.connect({ host: HOST, port: 4000 }, 1000), /beneath|ECONNREFUSED/)
})

test('a node that listens does not wait for a sibling that has not started, which then reaches it', async t => {
  const { clock } = nodeRuntime()
  const { port1, port2 } = new MessageChannel()
  const siblings = [new Sibling(port1), new Sibling(port2)]
  t.after(() => siblings[0]!.close())
  const parts = { beneath: nowhere, clock, host: HOST }
  const first = new ThreadNetwork({ ...parts, siblings: [siblings[0]!] })
  await withDeadline(
    first.listen({ host: HOST, port: 1 }, stream => quiet(stream).resume().end('hello')),
    'the listener'
  )
  const second = new ThreadNetwork({ ...parts, siblings: [siblings[1]!] })
  const stream = await second.connect({ host: HOST, port: 1 }, 1000)
  assert.equal(String(await withDeadline(readAll(stream), 'the end')), 'hello')
  stream.end()
  await withDeadline(once(stream, 'close'), 'the close')
})

test('a writer that its reader does not read holds what it was given, and its memory is bounded', async t => {
  const [near, far] = pairOver(t, nowhere)
  const accepted = deferred<Duplex>()
  await far.listen({ host: HOST, port: 1 }, accepted.resolve)
  const stream = await near.connect({ host: HOST, port: 1 }, 1000)
  const reader = quiet(await accepted.promise)
  let written = 0
  for (let i = 0; i < 100; i++) stream.write(Buffer.alloc(64 * 1024), () => written++)
  await new Promise(resolve => setTimeout(resolve, 20))
  assert.ok(stream.writableLength > 5_000_000, String(stream.writableLength))
  assert.ok(written < 10)
  stream.resume().end()
  assert.equal((await withDeadline(readAll(reader), 'all')).length, 100 * 64 * 1024)
  reader.end()
  await withDeadline(once(stream, 'close'), 'the close')
})

/** A stream that may still be open when its thread, at the end of the test, is gone. */
function quiet(stream: Duplex): Duplex {
  return stream.on('error', () => {})
}

interface Echo {
  readonly network: Network
  readonly address: Address
  readonly thread: Worker
}

/** Another thread, which sends back what it is sent. */
async function startEcho(t: TestContext): Promise<Echo> {
  const { clock, network: beneath } = nodeRuntime()
  const { port1, port2 } = new MessageChannel()
  const sibling = new Sibling(port1)
  const network = new ThreadNetwork({ beneath, clock, host: HOST, siblings: [sibling] })
  const thread = new Worker(new URL('./echo-thread.js', import.meta.url), {
    workerData: port2,
    transferList: [port2]
  })
  t.after(async () => {
    sibling.close()
    await thread.terminate()
  })
  const [address] = (await withDeadline(once(thread, 'message'), 'the thread')) as [Address]
  return { network, address, thread }
}

test('bytes go to another thread and back, whatever the chunks, while it sleeps and while it is busy', async t => {
  const { network, address } = await startEcho(t)
  const stream = await network.connect(address, 1000)
  const { random } = nodeRuntime()
  const sent = Buffer.from(random.bytes(4_000_000))
  const echoed = readAll(stream)
  for (let at = 0; at < sent.length; ) {
    const size = 1 + random.integer(random.integer(20) === 0 ? 300_000 : 3000)
    stream.write(sent.subarray(at, at + size))
    at += size
    // Sometimes at once, sometimes in the next tick, sometimes when the other thread has gone to sleep.
    const pause = random.integer(100)
    if (pause === 0) await new Promise(resolve => setTimeout(resolve, 2))
    else if (pause < 30) await new Promise(resolve => setImmediate(resolve))
  }
  stream.end()
  assert(sent.equals(await withDeadline(echoed, 'the echo', 30_000)))
})

test('questions that wait for their answers are answered, each of them', async t => {
  const { network, address } = await startEcho(t)
  const stream = await network.connect(address, 1000)
  for (let i = 0; i < 2000; i++) {
    stream.write(String(i % 10))
    const [answer] = (await withDeadline(once(stream, 'data'), `answer ${i}`)) as [Buffer]
    assert.equal(String(answer), String(i % 10))
  }
  stream.destroy()
})

test('when a thread ends, its streams are reset and it can be dialled no more', async t => {
  const { network, address, thread } = await startEcho(t)
  const stream = await network.connect(address, 1000)
  const failed = once(stream, 'error')
  await thread.terminate()
  const [error] = (await withDeadline(failed, 'the reset')) as [NodeJS.ErrnoException]
  assert.equal(error.code, 'ECONNRESET')
  assert.ok(stream.destroyed)
  await assert.rejects(network.connect(address, 1000), { code: 'ECONNREFUSED' })
})

test('a stream that nobody answers for is given up in time', async t => {
  const { clock } = nodeRuntime()
  const { port1, port2 } = new MessageChannel()
  const sibling = new Sibling(port1)
  t.after(() => sibling.close())
  const network = new ThreadNetwork({ beneath: nowhere, clock, host: HOST, siblings: [sibling] })
  port2.postMessage({ type: 'listening', port: 5, hosts: [HOST] })
  await once(port2, 'message')
  await assert.rejects(network.connect({ host: HOST, port: 5 }, 10), { code: 'ETIMEDOUT' })
})
