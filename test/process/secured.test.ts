// A secured cluster of real processes: those with its key are in, all others are told why not, and so is the operator.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import mqtt from 'mqtt'
import type { BrokerStatus } from '../../broker/broker.ts'
import { FRAME, PROTOCOL_VERSION } from '../../broker/link/frame.ts'
import { encodeHello } from '../../broker/link/hello.ts'
import { run, type Started, shoal, startShoal } from '../gateway/cli/shoal.ts'
import { type CertificateFiles, Certificates } from '../support/certificates.ts'
import { withDeadline } from '../support/deadline.ts'
import { eventually } from '../support/eventually.ts'
import type { Child } from '../support/process.ts'
import { requireTool } from '../support/tools.ts'
import { linkFrame } from './openings.ts'

const FREE_PORTS = ['--mqtt-port=0', '--http-port=0', '--cluster-port=0', '--preset=local']

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'shoal-keys-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

function newKey(): string {
  return randomBytes(32).toString('hex')
}

/** A file of keys, as an option. */
function keyFile(t: TestContext, keys: readonly string[]): { path: string; args: string[] } {
  const path = join(folder(t), 'cluster.key')
  writeFileSync(path, keys.map(key => `${key}\n`).join(''))
  return { path, args: ['--cluster-key-file', path] }
}

/** Nodes that know each other. */
async function clusterOf(t: TestContext, args: readonly (readonly string[])[]): Promise<Started[]> {
  const first = await startShoal(t, ...args[0]!)
  const others = args.slice(1).map(own => startShoal(t, ...own, '--base', first.cluster))
  const nodes = [first, ...(await Promise.all(others))]
  await seen(nodes)
  return nodes
}

async function seen(nodes: readonly Started[]): Promise<void> {
  await eventually(
    'all nodes are on the ring of each',
    async () => {
      const all = await Promise.all(nodes.map(statusOf))
      return all.every(({ ring }) => ring.agreed && ring.nodes === nodes.length)
    },
    { withinMs: 30_000, everyMs: 50 }
  )
}

async function statusOf({ http }: Started): Promise<BrokerStatus> {
  return (await (await fetch(`${http}/status`)).json()) as BrokerStatus
}

/** What is published at one node comes out at another. */
async function talks(t: TestContext, from: Started, to: Started): Promise<void> {
  const client = await mqtt.connectAsync(to.mqtt, { reconnectPeriod: 0 })
  t.after(() => client.end(true))
  const message = new Promise<string>(resolve => {
    client.once('message', (_topic, payload) => resolve(payload.toString()))
  })
  await client.subscribeAsync('a/b', { qos: 1 })
  const body = JSON.stringify({ topic: 'a/b', payload: 'through', qos: 1 })
  const headers = { 'content-type': 'application/json' }
  assert.equal((await fetch(`${from.http}/publish`, { method: 'POST', headers, body })).status, 200)
  assert.equal(await withDeadline(message, 'the message'), 'through')
}

/** A node that wants to join, and is not let in. */
function outsider(
  t: TestContext,
  base: Started,
  args: readonly string[],
  env: Record<string, string> = {}
): Child {
  return shoal(t, ['start', ...FREE_PORTS, '--base', base.cluster, ...args], env)
}

test('three nodes with a key are a cluster; another key, none, another name or version is refused at both sides', async t => {
  const { args } = keyFile(t, (await run(t, 'keygen')).out)
  const nodes = await clusterOf(t, [args, args, args])
  await talks(t, nodes[1]!, nodes[2]!)
  const [base] = nodes as [Started]

  const refusals: [Child, RegExp, RegExp][] = [
    [
      outsider(t, base, [], { SHOAL_CLUSTER_KEY: newKey() }),
      /node refused .*by=us reason="cluster key" ours=[0-9a-f]{8} theirs=[0-9a-f]{8}/,
      /node refused .*by="the peer" reason="cluster key" ours=[0-9a-f]{8} theirs=[0-9a-f]{8}/
    ],
    [
      outsider(t, base, []),
      /node refused .*by=us reason="cluster key" ours=[0-9a-f]{8} theirs=none$/,
      /node refused .*by="the peer" reason="cluster key" ours=none theirs=[0-9a-f]{8}$/
    ],
    [
      outsider(t, base, ['--name', 'other', ...args]),
      /node refused .*by=us reason="ring name" ours=shoal theirs=other$/,
      /node refused .*by="the peer" reason="ring name" ours=other theirs=shoal$/
    ]
  ]
  for (const [child, , told] of refusals) {
    await child.line(told)
    await child.line(/no base node answers, trying again .*reason=".*refused the handshake/)
  }
  for (const [, line] of refusals) await base.child.line(line)
  assert.match(await helloOfVersion(t, base, 99), /protocol version/)
  await base.child.line(/node refused .*by=us reason="protocol version" ours=\d+ theirs=99$/)
  await seen(nodes)
  for (const [child] of refusals) {
    child.signal('SIGTERM')
    assert.equal(await child.exit(), 0)
  }
})

/** What a node answers to the HELLO of a protocol version. */
async function helloOfVersion(t: TestContext, { cluster }: Started, version: number): Promise<string> {
  const limits = { frameBytesMax: 2 ** 20, topicsMax: 1, streamBytes: 1, streamObjects: 1 }
  const self = {
    id: '127.0.0.1:1',
    instance: '0'.repeat(16),
    ring: 'shoal',
    expect: null,
    attempt: 1,
    standing: 0
  }
  const hello = encodeHello({ ...self, ...limits, keys: [], nonce: new Uint8Array(0) })
  assert.equal(hello[5], PROTOCOL_VERSION)
  hello[5] = version
  const socket = connect(Number(cluster.split(':').at(-1)), '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(linkFrame(FRAME.HELLO, hello))
  const [answer] = (await withDeadline(once(socket, 'data'), 'a refusal')) as [Buffer]
  assert.equal(answer[3], FRAME.REFUSE)
  return answer.toString('latin1')
}

test('keys change by SIGHUP, one node after the other, and nobody leaves; a bad file changes nothing', async t => {
  const [old, next] = [newKey(), newKey()]
  const files = [1, 2, 3].map(() => keyFile(t, [old]))
  const nodes = await clusterOf(
    t,
    files.map(({ args }) => args)
  )
  const instances = await instancesOf(nodes[0]!)
  const reload = async (index: number, content: string, line: RegExp): Promise<void> => {
    const { child } = nodes[index]!
    const before = child.lines.length
    writeFileSync(files[index]!.path, content)
    child.signal('SIGHUP')
    await eventually('the log says so', () => child.lines.slice(before).some(({ text }) => line.test(text)))
  }
  for (const keys of [[old, next], [next, old], [next]]) {
    for (const index of [0, 1, 2]) {
      await reload(index, `# keys\n${keys.join('\n')}\n`, /cluster keys and certificates read again/)
    }
  }
  await reload(
    0,
    'no key\n',
    /keys and certificates not read again error="The key file .* must hold keys of 32 bytes/
  )
  const late = keyFile(t, [next])
  const fourth = await startShoal(t, ...late.args, '--base', nodes[0]!.cluster)
  await seen([...nodes, fourth])
  await talks(t, nodes[1]!, fourth)
  for (const id of instances) assert.ok((await instancesOf(fourth)).includes(id), 'the same processes')
  const complaints = nodes.flatMap(({ child }) =>
    child.lines.filter(({ text }) => /refused|suspect/.test(text))
  )
  assert.deepEqual(complaints, [])
})

async function instancesOf(node: Started): Promise<string[]> {
  return (await statusOf(node)).members.map(({ id, instance }) => `${id} ${instance}`)
}

test('links are TLS when certificates are given, and a node of another authority, or without TLS, is refused', async t => {
  if (!requireTool(t, 'openssl')) return
  const certificates = new Certificates(t)
  const [ours, foreign] = [certificates.authority('ours'), certificates.authority('foreign')]
  const { args: key } = keyFile(t, [newKey()])
  const options = (files: CertificateFiles): string[] => {
    const tls = [
      '--cluster-tls-cert',
      files.cert,
      '--cluster-tls-key',
      files.key,
      '--cluster-tls-ca',
      files.ca
    ]
    return [...key, ...tls]
  }
  const nodes = await clusterOf(t, [
    options(certificates.signed('a', ours)),
    options(certificates.signed('b', ours))
  ])
  const [base, other] = nodes as [Started, Started]
  await talks(t, base, other)
  const intruder = outsider(t, base, options(certificates.signed('intruder', foreign, ours)))
  await base.child.line(/node refused .*reason="TLS: its certificate is not valid: /)
  const careful = outsider(t, base, options(certificates.signed('careful', foreign)))
  await careful.line(/node refused .*reason="TLS: /)
  const plain = outsider(t, base, key)
  await plain.line(/no base node answers/)
  await base.child.line(/node refused .*reason="TLS: .*(?:wrong version number|http request|packet)/)
  await intruder.line(/no base node answers/)
  await seen(nodes)
})

test('a node that strangers could reach does not start without a key, and says how to make one', async t => {
  const { code, errors } = await run(t, 'start', ...FREE_PORTS, '--cluster-host', '0.0.0.0')
  assert.equal(code, 2)
  assert.match(errors.join(), /shoal keygen > cluster\.key.*--cluster-key-file cluster\.key.*--insecure/)
  const missing = await run(t, 'start', ...FREE_PORTS, '--cluster-key-file', join(folder(t), 'none'))
  assert.equal(missing.code, 2)
  assert.match(missing.errors.join(), /^shoal: The file .*none does not exist\.$/)
})
