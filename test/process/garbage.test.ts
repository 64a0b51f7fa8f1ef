// What strangers, broken clients and broken networks send to a node: it lives, within its memory, and those
// who behave notice nothing.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { SeededRandom } from '../simulation/random.ts'
import { eventually } from '../support/eventually.ts'
import { begin, closedByNode, open, pour, rain } from './assault.ts'
import { Lifetime } from './lifetime.ts'
import { MqttJs } from './mqttjs.ts'
import { Neighbour } from './neighbour.ts'
import { type NodeProcess, startCluster } from './nodes.ts'
import {
  gossip,
  httpPublish,
  linkFrame,
  linkOpening,
  mqttConnect,
  mqttConversation,
  mqttSubscribe,
  webSocketConversation,
  webSocketFrame,
  webSocketUpgrade
} from './openings.ts'

const CONNECT_TIMEOUT_MS = 2_000
const SEED = 20_151_204
const NOTHING = Buffer.alloc(0)
const FILLER = Buffer.alloc(65_535, 'x')

const lifetime = new Lifetime()
const random = new SeededRandom(SEED)
let node: NodeProcess
let neighbour: Neighbour
let filesBefore: number
let links = 0

before(async () => {
  const args = ['--connect-timeout-ms', String(CONNECT_TIMEOUT_MS)]
  const nodes = await startCluster(lifetime, ['A', 'B'], args)
  node = nodes[0]!
  neighbour = await Neighbour.move(lifetime, node, nodes[1]!)
  filesBefore = node.openFiles
})
after(() => lifetime.end())

/** All is well, and nothing of the assault is left open. */
async function unharmed(t: TestContext): Promise<void> {
  await neighbour.isWell(t)
  await eventually('no connection is left', () => node.openFiles <= filesBefore, { withinMs: 30_000 })
  assert.deepEqual(
    node.complaints.filter(text => /uncaught|INTERNAL/i.test(text)),
    []
  )
}

test('random bytes', async t => {
  for (const [name, port] of node.ports) {
    const inputs = some(200, () => random.bytes(1 + random.integer(4000)))
    await pour(t, { what: `random bytes to ${name}`, port, beginning: NOTHING, inputs })
  }
  const small = some(3000, () => random.bytes(random.integer(1500)))
  const large = some(20, () => random.bytes(60_000))
  await rain(node.clusterPort, [...small, ...large])
  await unharmed(t)
})

test('conversations that are cut short or damaged', async t => {
  const conversations: readonly Conversation[] = [
    ['MQTT 3.1.1', node.mqttPort, NOTHING, mqttConversation(4, 'garbage-4')],
    ['MQTT 5.0', node.mqttPort, NOTHING, mqttConversation(5, 'garbage-5')],
    ['an upgrade', node.httpPort, NOTHING, webSocketUpgrade()],
    ['a WebSocket', node.httpPort, webSocketUpgrade(), webSocketConversation()],
    [
      'MQTT over WebSocket',
      node.httpPort,
      webSocketUpgrade('mqtt'),
      webSocketFrame(mqttConversation(5, 'g'))
    ],
    ['HTTP', node.httpPort, NOTHING, httpPublish()],
    ['a link', node.clusterPort, NOTHING, linkOpening(++links)]
  ]
  for (const [what, port, beginning, bytes] of conversations) {
    const inputs = [...beginnings(bytes, 60), ...some(150, () => damaged(bytes))]
    await pour(t, { what, port, beginning, inputs })
  }
  const packet = gossip(random.bytes(40))
  await rain(node.clusterPort, [...beginnings(packet, 40), ...some(1000, () => damaged(packet))])
  await unharmed(t)
})

test('nonsense after a proper beginning', async t => {
  const [mqtt4, mqtt5] = [mqttConnect(4, 'garbage'), mqttConnect(5, 'garbage')]
  const [upgrade, mqttUpgrade] = [webSocketUpgrade(), webSocketUpgrade('mqtt')]
  const nonsense: readonly (readonly [string, number, Buffer, () => Buffer])[] = [
    ['MQTT 3.1.1', node.mqttPort, mqtt4, packets],
    ['MQTT 5.0', node.mqttPort, mqtt5, packets],
    ['MQTT over WebSocket', node.httpPort, mqttUpgrade, () => webSocketFrame(join(mqtt5, packets()))],
    ['a WebSocket', node.httpPort, upgrade, lines],
    ['bytes that are no frames', node.httpPort, upgrade, packets],
    ['a link', node.clusterPort, NOTHING, () => join(linkOpening(++links), frames())]
  ]
  for (const [what, port, beginning, make] of nonsense) {
    await pour(t, { what, port, beginning, inputs: some(100, make) })
  }
  const untrue = some(2000, () => gossip(random.bytes(random.integer(1300))))
  await rain(node.clusterPort, untrue)
  await unharmed(t)
})

test('lengths beyond every bound', async t => {
  const continued = join(hex('00feffff00000000'), FILLER)
  const tooLong: readonly Conversation[] = [
    ['a CONNECT of 256 MiB', node.mqttPort, NOTHING, join(hex('10ffffff7f'), FILLER)],
    ['a length of five bytes', node.mqttPort, NOTHING, hex('10ffffffffff')],
    ['a client id beyond its packet', node.mqttPort, NOTHING, hex('100e00044d5154540402000affff6162')],
    ['a PUBLISH of 256 MiB', node.mqttPort, mqttConnect(4, 'huge'), join(hex('30ffffff7f'), FILLER)],
    ['a frame of 2^62 bytes', node.httpPort, webSocketUpgrade(), hex('82ff3fffffffffffffff00000000')],
    [
      'a message of frames without end',
      node.httpPort,
      webSocketUpgrade(),
      join(hex('01feffff00000000'), FILLER, ...some(40, () => continued))
    ],
    [
      'a header of a MiB',
      node.httpPort,
      NOTHING,
      join(Buffer.from('GET / HTTP/1.1\r\nHost: '), ...some(16, () => FILLER))
    ],
    ['a HELLO of 16 MiB', node.clusterPort, NOTHING, join(hex('ffffff01'), FILLER)]
  ]
  await Promise.all(tooLong.map(conversation => toItsEnd(t, conversation)))
  await unharmed(t)
})

test('clients that never read what floods them', async t => {
  const { subscriptions } = await node.status()
  const sockets: Socket[] = []
  const deafen = async (port: number, beginning: Buffer, bytes: Buffer): Promise<void> => {
    const socket = await begin(t, port, beginning)
    socket.removeAllListeners('readable')
    socket.pause()
    socket.write(bytes)
    sockets.push(socket)
  }
  const requests = '{"t":"connect","version":1}\n{"t":"subscribe","id":1,"filter":"flood"}'
  const questions = Buffer.from('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(5000))
  for (let index = 0; index < 5; index++) {
    for (const version of [4, 5] as const) {
      for (const qos of [0, 1] as const) {
        const connect = mqttConnect(version, `deaf-${index}-${version}-${qos}`)
        await deafen(node.mqttPort, connect, mqttSubscribe(version, 'flood', qos))
      }
    }
    await deafen(node.httpPort, webSocketUpgrade(), webSocketFrame(requests))
  }
  await eventually(
    'all have subscribed',
    async () => (await node.status()).subscriptions === subscriptions + sockets.length
  )
  for (let index = 0; index < 5; index++) await deafen(node.httpPort, NOTHING, questions)
  const { client } = await MqttJs.connect(t, node, { version: 4, over: 'TCP' })
  const payload = Buffer.alloc(8192, 'x')
  await Promise.all(some(5000, () => client.publishAsync('flood', payload, { qos: 1 })))
  await neighbour.isWell(t)
  for (const socket of sockets) socket.destroy()
  client.end(true)
  await unharmed(t)
})

test('clients that send one byte a second, and others that send nothing or half of something', async t => {
  const closed: Promise<void>[] = []
  for (const [name, port] of node.ports) {
    for (let index = 0; index < 100; index++) {
      closed.push(closedByNode(await open(t, port), `a silent connection to ${name}`))
    }
  }
  const endless = 'POST /publish HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000\r\n\r\n'
  const halves: readonly Conversation[] = [
    ['half a header', node.httpPort, NOTHING, httpPublish().subarray(0, 40)],
    ['all but the last byte of a body', node.httpPort, NOTHING, httpPublish().subarray(0, -1)],
    ['the start of a petabyte', node.httpPort, NOTHING, join(Buffer.from(endless), FILLER)],
    ['a WebSocket that says nothing', node.httpPort, webSocketUpgrade(), NOTHING],
    ['the start of a frame of 16 MiB', node.clusterPort, linkOpening(++links), join(hex('ffffff21'), FILLER)]
  ]
  for (const half of halves) closed.push(toItsEnd(t, half))
  const slow = [mqttConnect(4, 'slow'), webSocketUpgrade(), linkOpening(++links)]
  for (const [index, [name, port]] of node.ports.entries()) {
    const socket = await open(t, port)
    closed.push(closedByNode(socket, `a slow connection to ${name}`))
    void trickle(socket, slow[index]!, 1000)
  }
  await Promise.all(closed)
  await unharmed(t)
})

test('a client of many small pieces is served, and one that falls silent is missed', async t => {
  const witness = await MqttJs.connect(t, node, { version: 4, over: 'TCP' })
  await witness.client.subscribeAsync('garbage/will', { qos: 1 })
  const socket = await open(t, node.mqttPort)
  const answers: Buffer[] = []
  socket.on('data', chunk => answers.push(chunk))
  await trickle(socket, join(mqttConnect(4, 'piecemeal', 1), mqttSubscribe(4, 'garbage/x', 0)), 5)
  await closedByNode(socket, 'a client beyond its keep-alive')
  assert.equal(Buffer.concat(answers).toString('hex'), '200200009003000100', 'CONNACK and SUBACK')
  await witness.until(1)
  witness.client.end(true)
  await unharmed(t)
})

/** What, where, what is said and answered first, and what follows. */
type Conversation = readonly [what: string, port: number, beginning: Buffer, bytes: Buffer]

function some<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, () => make())
}

function join(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts)
}

function hex(digits: string): Buffer {
  return Buffer.from(digits, 'hex')
}

/** `bytes` with up to three of them changed. */
function damaged(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  for (let left = 1 + random.integer(3); left > 0; left--) {
    copy[random.integer(copy.length)] = random.integer(256)
  }
  return copy
}

/** `count` beginnings of `bytes`, spread over all of it. */
function beginnings(bytes: Uint8Array, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(0, Math.ceil((bytes.length * (index + 1)) / (count + 1)))
  )
}

/** Frames of a link, of any type, with bodies of any bytes. */
function frames(): Buffer {
  return join(...some(10, () => linkFrame(1 + random.integer(32), random.bytes(random.integer(200)))))
}

/** Packets of MQTT, of any type, with bodies of any bytes. */
function packets(): Buffer {
  const packet = (): Buffer => {
    const body = random.bytes(random.integer(120))
    return Buffer.concat([Buffer.from([random.integer(256), body.length]), body])
  }
  return join(...some(10, packet))
}

/** Requests of a browser, most of them wrong, the last one not even JSON. */
function lines(): Buffer {
  const values = [-1, 0, 1, 2 ** 53, 'a/#', '#/a', '', null, [], { t: 'connect' }, true]
  const request = (): string => {
    const fields = ['id', 'filter', 'topic', 'text', 'json', 'qos'].map(name => [name, random.pick(values)])
    const t = random.pick(['connect', 'publish', 'subscribe', 'unsubscribe', 'ping', 'x', 7])
    return JSON.stringify({ t, ...Object.fromEntries(fields) })
  }
  return webSocketFrame(['{"t":"connect","version":1}', ...some(10, request), '['].join('\n'))
}

/** Settles when the node has closed the connection. */
async function toItsEnd(t: TestContext, [what, port, beginning, bytes]: Conversation): Promise<void> {
  const socket = await begin(t, port, beginning)
  socket.write(bytes)
  await closedByNode(socket, what)
}

/** Until it has sent all, or is closed. */
async function trickle(socket: Socket, bytes: Buffer, everyMs: number): Promise<void> {
  for (let index = 0; index < bytes.length && socket.writable; index++) {
    socket.write(bytes.subarray(index, index + 1))
    await wait(everyMs)
  }
}
