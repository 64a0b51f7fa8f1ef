import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { test } from 'node:test'
import {
  ClusterKeys,
  type DatagramSocket,
  KeyedSeal,
  type Listener,
  nodeRuntime,
  StreamTransport,
  Swim,
  type SwimOptions,
  swimPresets
} from '../../broker/swim/alone.ts'
import { Simulation } from '../simulation/simulation.ts'
import { eventually } from '../support/eventually.ts'

interface Running {
  swim: Swim
  transport: StreamTransport
  close(): Promise<void>
}

/** The program at the head of alone.ts, on any port that is free for both. */
async function start(
  seals: (instance: string) => Pick<SwimOptions, 'seal' | 'stateSeal'> = () => ({})
): Promise<Running> {
  const runtime = nodeRuntime()
  const transport = new StreamTransport(runtime)
  let listener: Listener
  let socket: DatagramSocket
  for (;;) {
    listener = await runtime.network.listen({ host: '127.0.0.1', port: 0 }, stream =>
      transport.answer(stream, state => swim.receivePushPull(state))
    )
    try {
      socket = await runtime.network.datagram(listener.address, (packet, from) => swim.receive(packet, from))
      break
    } catch {
      await listener.close()
    }
  }
  const instance = randomBytes(8).toString('hex')
  const swim = new Swim({
    id: `127.0.0.1:${listener.address.port}`,
    instance,
    meta: { zone: 'a' },
    runtime,
    send: (packet, to) => socket.send(packet, to),
    transport,
    config: swimPresets.local,
    onChange() {},
    ...seals(instance)
  })
  swim.start()
  return {
    swim,
    transport,
    async close() {
      swim.stop()
      socket.close()
      await listener.close()
    }
  }
}

for (const [what, seals] of [
  ['without keys', () => ({})],
  [
    'with keys',
    (instance: string) => {
      const keys = new ClusterKeys(['11'.repeat(32)])
      return {
        seal: new KeyedSeal({ keys, instance, purpose: 'packet' }),
        stateSeal: new KeyedSeal({ keys, instance, purpose: 'state' })
      }
    }
  ]
] as const) {
  test(`members find each other on the machine's own sockets, and miss one that leaves, ${what}`, async () => {
    const all = await Promise.all([start(seals), start(seals), start(seals)])
    const [first, second, third] = all as [Running, Running, Running]
    for (const { swim } of [second, third]) assert.equal(await swim.join([first.swim.self.id]), 1)
    await eventually('all see all', () => all.every(({ swim }) => swim.size === 3))
    await third.swim.leave()
    await eventually('the third is missed', () => first.swim.size === 2 && second.swim.size === 2)
    await Promise.all(all.map(each => each.close()))
  })
}

test('a state that no one answers rejects, and so does an address that is none', async () => {
  const { transport, close } = await start()
  await close()
  const gone = await start()
  const { id } = gone.swim.self
  await gone.close()
  await assert.rejects(transport.pushPull(id, new Uint8Array(1)), { code: 'ECONNREFUSED' })
  await assert.rejects(transport.ping('nowhere'), { code: 'OPTION_INVALID' })
  await assert.rejects(transport.pushPull(id, new Uint8Array(9 * 1024 * 1024)), { code: 'FRAME_TOO_LARGE' })
})

test('strangers on the port change nothing, and are counted', async () => {
  const one = await start()
  const port = Number(one.swim.self.id.split(':')[1])
  const questions = ['GET / HTTP/1.1\r\n\r\n', '\x01\x00\x00\x00\x03abc', '\x01\xff\xff\xff\xff']
  for (const question of questions) {
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.end(Buffer.from(question, 'latin1'))
  }
  await eventually('all were refused', () => one.transport.refused === questions.length)
  assert.equal(one.swim.size, 1)
  await one.close()
})

test('a peer that says nothing is given up, on either side', async () => {
  const simulation = new Simulation({ seed: 1 })
  const [asker, silent] = [simulation.host('10.0.0.1').runtime, simulation.host('10.0.0.2').runtime]
  const at = { host: '10.0.0.2', port: 7979 }
  let answering: StreamTransport | null = null
  void silent.network.listen(at, stream => {
    if (answering !== null) answering.answer(stream, state => state)
  })
  await simulation.run(1)
  let code = ''
  const transport = new StreamTransport(asker)
  transport.ping('10.0.0.2:7979').catch((error: { code: string }) => {
    code = error.code
  })
  await simulation.run(6000)
  assert.equal(code, 'TIMEOUT')

  answering = new StreamTransport(silent)
  void asker.network.connect(at, 1000)
  await simulation.run(6000)
  assert.equal(answering.refused, 1)
})
