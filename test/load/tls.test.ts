// Addresses with an `s`: the same brokers behind a relay that speaks TLS, with a certificate that nobody has signed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createServer, type Server } from 'node:tls'
import { shoal } from '../../load/compare/shoal.ts'
import type { StartedBroker } from '../../load/compare/started.ts'
import { connectRun } from '../../load/connect/connect.ts'
import { faultsOf } from '../../load/integrity.ts'
import { checkOptions, parseCommandLine } from '../../load/options.ts'
import type { ScenarioName } from '../../load/plan.ts'
import { run } from '../../load/run.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const HALF_A_SECOND = ['--duration', '0.5', '--warm-up', '0', '--drain', '5', '--window', '8']
const FEW = ['--publishers', '2', '--subscribers', '2', '--pairs', '2', '--connections', '4', '--hold', '0']

function selfSigned(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'load-tls-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const { status, stderr } = spawnSync('openssl', [
      'req',
      ...kind,
      ...['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost']
    ])
    assert.equal(status, 0, String(stderr))
    return { key: readFileSync(key), cert: readFileSync(cert) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Passes what comes by TLS on to a port of loopback, and back. */
async function relayTo(url: string, secret: { key: Buffer; cert: Buffer }): Promise<Server> {
  const port = Number(new URL(url).port)
  const server = createServer(secret, socket => {
    const behind = connect({ host: '127.0.0.1', port })
    socket.pipe(behind).pipe(socket)
    for (const one of [socket, behind]) {
      one.on('error', () => {})
      one.on('close', () => socket.destroy(behind.destroy().errored ?? undefined))
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return server
}

const hostOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`

let node: StartedBroker
let mqtt: Server
let web: Server

before(async () => {
  if (!hasOpenssl) return
  const secret = selfSigned()
  node = await shoal(1).start(undefined)
  mqtt = await relayTo(node.urls[0]!, secret)
  web = await relayTo(node.webUrls![0]!, secret)
})

after(async () => {
  if (!hasOpenssl) return
  mqtt.close()
  web.close()
  await node.stop()
})

const optionsOf = (...args: string[]) =>
  checkOptions(parseCommandLine([...HALF_A_SECOND, ...FEW, ...args]).raw)

async function sound(scenario: ScenarioName, ...args: string[]): Promise<void> {
  const result = await run(scenario, optionsOf(...args), { phase() {}, point() {} })
  assert.deepEqual([...faultsOf(result.integrity, false), ...result.errors], [], args.join(' '))
  assert.ok(result.deliveries > 0, args.join(' '))
}

test('mqtts, mqtt+wss, wss and https carry every message once and in order', {
  skip: hasOpenssl ? false : 'no openssl here'
}, async () => {
  await sound('pairs', '--url', `mqtts://${hostOf(mqtt)}`)
  await sound('fan-out', '--url', `mqtts://${hostOf(mqtt)}`, '--qos', '1', '--payload', '70000')
  await sound('pairs', '--url', `mqtt+wss://${hostOf(web)}`)
  await sound('websocket', '--url', `wss://${hostOf(web)}`)
  await sound('http', '--publish-to', `https://${hostOf(web)}`, '--subscribe-at', `mqtts://${hostOf(mqtt)}`)
})

test('connections by TLS are opened and counted', {
  skip: hasOpenssl ? false : 'no openssl here'
}, async () => {
  const urls = [`mqtts://${hostOf(mqtt)}`, `wss://${hostOf(web)}`].join()
  const { connectLatency, lost } = await connectRun(optionsOf('--url', urls), () => {})
  assert.deepEqual([connectLatency.count, lost], [4, 0])
})
