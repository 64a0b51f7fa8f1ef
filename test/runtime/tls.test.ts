// Streams over mutual TLS: as any others between those whom the other's authority has signed, and none for the rest.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectPlainly } from 'node:net'
import type { Duplex } from 'node:stream'
import { after, type TestContext, test } from 'node:test'
import type { Log } from '../../broker/runtime/log.ts'
import type { Listener } from '../../broker/runtime/network.ts'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import type { Runtime } from '../../broker/runtime/runtime.ts'
import { TlsCredentials } from '../../broker/runtime/tls-credentials.ts'
import { type CertificateFiles, Certificates, materialOf } from '../support/certificates.ts'
import { withDeadline } from '../support/deadline.ts'
import { findTool, requireTool } from '../support/tools.ts'
import { runtimeContract } from './contract.ts'

const HOST = '127.0.0.1'

if (findTool('openssl') !== null) {
  const certificates = new Certificates({ after })
  const ours = certificates.authority('ours')
  const runtime = nodeRuntime({ tls: credentialsOf(certificates.signed('node', ours)) })
  runtimeContract('the real runtime with TLS', () => ({
    near: runtime,
    far: runtime,
    nearHost: HOST,
    farHost: HOST,
    settle: promise => withDeadline(promise, 'the contract')
  }))
}

function credentialsOf(files: CertificateFiles): TlsCredentials {
  return new TlsCredentials(materialOf(files))
}

/** A listener of a process of its own that sends `hi` on each connection. */
class Greeter {
  readonly refused: unknown[] = []
  readonly tls: TlsCredentials
  accepted = 0
  #listener: Listener | null = null

  constructor(files: CertificateFiles) {
    this.tls = credentialsOf(files)
  }

  async listen(t: TestContext): Promise<this> {
    const runtime = runtimeOf(this.tls, this.refused)
    this.#listener = await runtime.network.listen({ host: HOST, port: 0 }, stream => {
      this.accepted++
      stream.on('error', () => {})
      stream.write('hi')
      t.after(() => stream.destroy())
    })
    t.after(() => this.#listener?.close())
    return this
  }

  get port(): number {
    return this.#listener!.address.port
  }
}

/** The reasons of what it refuses go to `refused`. */
function runtimeOf(tls: TlsCredentials, refused: unknown[] = []): Runtime {
  const ignore = (): void => {}
  const warn = (fields: object): unknown => refused.push('reason' in fields ? fields.reason : fields)
  const log: Log = { trace: ignore, debug: ignore, info: ignore, warn, error: ignore, child: () => log }
  return nodeRuntime({ log, tls })
}

/** The first bytes that `files` gets at `port`, or why it gets none. */
async function greeting(t: TestContext, files: CertificateFiles, port: number): Promise<string> {
  try {
    const stream: Duplex = await runtimeOf(credentialsOf(files)).network.connect({ host: HOST, port }, 5000)
    t.after(() => stream.destroy())
    const ended = once(stream, 'end').then(() => ['ended'])
    const [bytes] = await withDeadline(Promise.race([once(stream, 'data'), ended]), 'a greeting')
    return String(bytes)
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

test('a node signed by the same authority is let in, another is not, on whichever side it is', async t => {
  if (!requireTool(t, 'openssl')) return
  const certificates = new Certificates(t)
  const [ours, foreign] = [certificates.authority('ours'), certificates.authority('foreign')]
  const a = certificates.signed('a', ours)
  const b = certificates.signed('b', ours)
  const stranger = certificates.signed('stranger', foreign)
  const intruder = certificates.signed('intruder', foreign, ours)
  const node = await new Greeter(a).listen(t)
  assert.equal(await greeting(t, b, node.port), 'hi')
  assert.match(await greeting(t, stranger, node.port), /^(?:UNABLE_TO_VERIFY|SELF_SIGNED)/)
  assert.match(await greeting(t, intruder, node.port), /^(?:ECONNRESET|ended)/)
  assert.equal(node.accepted, 1)
  const why = node.refused.map(String)
  assert.ok(
    why.some(reason => /^TLS: its certificate is not valid: /.test(reason)),
    why.join()
  )
})

test('a connection without TLS is refused, and does no harm', async t => {
  if (!requireTool(t, 'openssl')) return
  const certificates = new Certificates(t)
  const a = certificates.signed('a', certificates.authority('ours'))
  const node = await new Greeter(a).listen(t)
  const plain = connectPlainly(node.port, HOST)
  plain.on('error', () => {})
  plain.resume()
  plain.write(Buffer.alloc(100))
  await withDeadline(once(plain, 'close'), 'the end of a plain connection')
  assert.equal(node.accepted, 0)
  assert.equal(await greeting(t, a, node.port), 'hi')
})

test('a certificate and an authority may be replaced while connections stand', async t => {
  if (!requireTool(t, 'openssl')) return
  const certificates = new Certificates(t)
  const [old, next] = [certificates.authority('old'), certificates.authority('next')]
  const [before, later] = [certificates.signed('before', old), certificates.signed('later', next)]
  const node = await new Greeter(before).listen(t)
  const standing = await runtimeOf(credentialsOf(before)).network.connect(
    { host: HOST, port: node.port },
    5000
  )
  t.after(() => standing.destroy())
  await withDeadline(once(standing, 'data'), 'a greeting')
  node.tls.replace(materialOf(later))
  assert.equal(await greeting(t, later, node.port), 'hi')
  assert.notEqual(await greeting(t, before, node.port), 'hi')
  assert.equal(standing.destroyed, false)
})
