import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import type { Log } from '../../broker/runtime/log.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import { withDeadline } from '../support/deadline.ts'
import { deferred } from '../support/deferred.ts'
import { runtimeContract } from './contract.ts'

const HOST = '127.0.0.1'

runtimeContract('the real runtime', () => {
  const runtime = nodeRuntime()
  return {
    near: runtime,
    far: runtime,
    nearHost: HOST,
    farHost: HOST,
    settle: promise => withDeadline(promise, 'the contract')
  }
})

test('a connect that is not answered in time fails with ETIMEDOUT', async () => {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const unanswered = nodeRuntime().network.connect({ host: HOST, port }, 1)
  // The loop runs timers before it looks at sockets: holding it up makes the answer late for certain.
  const start = performance.now()
  while (performance.now() - start < 5);
  server.close()
  await assert.rejects(withDeadline(unanswered, 'a rejection'), { code: 'ETIMEDOUT' })
})

test('a connect to an impossible port is rejected, not thrown', async () => {
  await assert.rejects(nodeRuntime().network.connect({ host: HOST, port: 70_000 }, 1000), {
    code: 'ERR_SOCKET_BAD_PORT'
  })
})

test('a deferred call that throws takes none of the others with it', async () => {
  const { clock } = nodeRuntime()
  const ran: number[] = []
  const thrown = deferred<unknown>()
  const done = deferred<void>()
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', thrown.resolve)
  clock.defer(() => ran.push(1))
  clock.defer(() => {
    throw new Error('planted')
  })
  clock.defer(() => {
    ran.push(3)
    done.resolve()
  })
  try {
    assert.match(String(await withDeadline(thrown.promise, 'the error')), /planted/)
    await withDeadline(done.promise, 'the last call')
  } finally {
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  assert.deepEqual(ran, [1, 3])
})

test('random bytes have the length asked for and are not always the same', () => {
  const { random } = nodeRuntime()
  assert.equal(random.bytes(16).length, 16)
  assert.notDeepEqual(random.bytes(16), random.bytes(16))
  for (let i = 0; i < 100; i++) assert(random.integer(3) < 3)
})

test('a datagram that the system refuses is logged at debug, and harms nothing', async () => {
  const lines: string[] = []
  const log: Log = {
    trace: () => {},
    debug: (_fields, event) => lines.push(event),
    info: () => {},
    warn: () => {},
    error: () => {},
    child: () => log
  }
  const { network, clock } = nodeRuntime({ log })
  const socket = await network.datagram({ host: HOST, port: 0 }, () => {})
  socket.send(new Uint8Array(70_000), socket.address)
  socket.send(new Uint8Array(1), { host: HOST, port: 0 })
  await new Promise<void>(resolve => clock.after(20, resolve))
  socket.close()
  assert.deepEqual(lines, ['datagram lost', 'datagram lost'])
})
