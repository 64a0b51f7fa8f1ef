// A node as a process: what it prints, how it fails, how it stops.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import mqtt from 'mqtt'
import { withDeadline } from '../../support/deadline.ts'
import { eventually } from '../../support/eventually.ts'
import { run, shoal, startShoal } from './shoal.ts'

function optionFile(t: TestContext, name: string, content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function portOf(url: string): string {
  return url.slice(url.lastIndexOf(':') + 1)
}

test('a node says where it listens, is ready, and stops with 0 when told to', async t => {
  const { child, mqtt, http, cluster } = await startShoal(t)
  assert.match(mqtt, /^mqtt:\/\/127\.0\.0\.1:[1-9]\d*$/)
  assert.match(http, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
  assert.match(cluster, /^127\.0\.0\.1:[1-9]\d*$/)
  assert.equal((await fetch(`${http}/ready`)).status, 200)
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 0)
})

test('the metrics of a node have the figures of both gateways and of the process', async t => {
  const { mqtt, http } = await startShoal(t)
  await run(t, 'pub', '--url', mqtt, '-t', 'a', '-m', 'x', '-q', '1')
  const text = await (await fetch(`${http}/metrics`)).text()
  assert.match(text, /^shoal_mqtt_messages_in_total 1$/m)
  assert.match(text, /^shoal_web_http_requests_total [1-9]/m)
  assert.match(text, /^shoal_published_total 1$/m)
  assert.match(text, /^process_cpu_seconds_total \d/m)
})

// Not every system that Node runs on has a binary of the library.
test('a node without HTTP does not load its library', { skip: !existsSync('/proc/self/maps') }, async t => {
  const child = shoal(t, ['start', '--mqtt-port', '0', '--http-port', 'off', '--cluster-port', '0'])
  await child.line(/^cluster/)
  assert.doesNotMatch(readFileSync(`/proc/${child.pid}/maps`, 'utf8'), /uws_/)
  const { child: whole } = await startShoal(t)
  assert.match(readFileSync(`/proc/${whole.pid}/maps`, 'utf8'), /uws_/)
})

test('messages go from pub to sub, with their topics if asked for', async t => {
  const { child, mqtt } = await startShoal(t, '--log-level', 'debug')
  const all = shoal(t, ['sub', '--url', mqtt, '-t', 'hello/#', '-t', 'a,b', '-v', '-q', '1', '-C', '3'])
  await child.line(/client connected/)
  const sent = (topic: string, message: string, ...more: string[]): Promise<unknown> =>
    run(t, 'pub', '--url', mqtt, '-t', topic, '-m', message, ...more)
  // What is retained arrives whenever `sub` has subscribed.
  for (const outcome of [
    await sent('hello/world', 'hi', '-r'),
    await sent('hello/ünï', 'zwei\nzeilen', '-r', '-q', '1'),
    await sent('a,b', '', '-q1'),
    await sent('a,b', '-r', '-r')
  ]) {
    assert.deepEqual(outcome, { code: 0, out: [], errors: [] })
  }
  assert.equal(await all.exit(), 0)
  const lines = all.lines.map(({ text }) => text)
  assert.ok(lines.includes('hello/world hi'), all.output)
})

test('what is retained is printed by a sub that comes later, and cleared by an empty message', async t => {
  const { mqtt } = await startShoal(t)
  await run(t, 'pub', '--url', mqtt, '-t', 'a/b', '-m', 'kept', '-r', '-q', '1')
  assert.deepEqual((await run(t, 'sub', '--url', mqtt, '-t', '+/b', '-C', '1')).out, ['kept'])
  await run(t, 'pub', '--url', mqtt, '-t', 'a/b', '-m', '', '-r', '-q', '1')
  await run(t, 'pub', '--url', mqtt, '-t', 'a/c', '-m', 'other', '-r', '-q', '1')
  assert.deepEqual((await run(t, 'sub', '--url', mqtt, '-t', 'a/+', '-C', '1')).out, ['other'])
})

test('what the node refuses is said in a sentence', async t => {
  const { mqtt } = await startShoal(t)
  const wildcard = await run(t, 'pub', '--url', mqtt, '-t', 'a/#', '-m', 'x')
  assert.equal(wildcard.code, 1)
  assert.match(
    wildcard.errors.join('\n'),
    /^shoal: mqtt:\S+ ended the connection: not a valid topic name \(0x90\)\.$/
  )
  const filter = await run(t, 'sub', '--url', mqtt, '-t', 'a/#/b')
  assert.equal(filter.code, 1)
  assert.match(filter.errors.join('\n'), /^shoal: mqtt:\S+ .*not a valid topic filter \(0x8f\)\.$/)
})

test('status and owner show the cluster from any of its nodes', async t => {
  const first = await startShoal(t)
  const second = await startShoal(t, '--base', first.cluster)
  const lines = (await run(t, 'status', '--url', second.http)).out.join('\n')
  assert.match(lines, new RegExp(`^${second.cluster} is ready; ring [0-9a-f]{8} of 2 nodes`))
  assert.match(lines, new RegExp(`^${first.cluster} +alive +serving +[0-9.]+ % +up`, 'm'))
  const json: unknown = JSON.parse((await run(t, 'status', '--json', '--url', first.http)).out.join('\n'))
  assert.ok(typeof json === 'object' && json !== null && 'id' in json && json.id === first.cluster)
  const owners = await Promise.all(
    [first, second].map(({ http }) => run(t, 'owner', 'hello/world', '--url', http))
  )
  assert.deepEqual(owners[0]?.out, owners[1]?.out)
  assert.ok([first.cluster, second.cluster].includes(owners[0]?.out[0] ?? ''))
  assert.match(
    (await run(t, 'owner', 'a/#', '--url', first.http)).errors.join(),
    /^shoal: http:\S+ answered 400: .*topic/
  )
})

test('a port in use is one sentence, exit code 1, and no stack', async t => {
  const { mqtt, http, cluster } = await startShoal(t)
  const free = ['--mqtt-port=0', '--http-port=0', '--cluster-port=0']
  for (const [option, url, what] of [
    ['--mqtt-port', mqtt, 'MQTT'],
    ['--http-port', http, 'HTTP'],
    ['--cluster-port', cluster, 'the cluster']
  ] as const) {
    const { code, errors } = await run(t, 'start', ...free, `${option}=${portOf(url)}`)
    assert.equal(code, 1)
    assert.deepEqual(errors, [
      `shoal: Cannot listen on 127.0.0.1:${portOf(url)} for ${what}: another process listens there. ` +
        `Stop it, or choose another port with ${option}.`
    ])
  }
})

test('a host that is not this machine is one sentence, for MQTT as for HTTP', async t => {
  for (const off of ['--mqtt-port=off', '--http-port=off']) {
    const args = [
      '--host=192.0.2.1',
      '--allow-anonymous',
      '--mqtt-port=0',
      '--http-port=0',
      '--cluster-port=0',
      off
    ]
    const { code, errors } = await run(t, 'start', ...args)
    assert.equal(code, 1)
    assert.match(
      errors.join('\n'),
      /^shoal: Cannot listen on 192\.0\.2\.1:0 for .*this machine has no such address\.$/
    )
  }
})

test('an option or command that is not understood is one sentence and exit code 2', async t => {
  const cases: [string[], RegExp][] = [
    [
      ['start', '--mqtt-prot', '1'],
      /^shoal: There is no option --mqtt-prot\. Did you mean --mqtt-port\? `shoal help start`/
    ],
    [['start', '--mqtt-port', 'x'], /^shoal: --mqtt-port is "x", but must be a port from 0 to 65535/],
    [['start', '--config', '/nowhere.yaml'], /^shoal: The option file \/nowhere\.yaml does not exist\.$/],
    [['strat'], /^shoal: There is no command "strat"\. Did you mean start\?/],
    [['pub', '-m', 'x'], /^shoal: No topic is given/],
    [['sub', '-q', '2'], /^shoal: -q is "2", but must be a whole number from 0 to 1\. `shoal help sub`/],
    [['cluster', '--base', 'a:1'], /^shoal: base is given/],
    [['cluster', '--mqtt-port', '65535'], /^shoal: --mqtt-port is 65535, which leaves no ports for 3 nodes/]
  ]
  for (const [args, sentence] of cases) {
    const { code, out, errors } = await run(t, ...args)
    assert.equal(code, 2, args.join(' '))
    assert.deepEqual(out, [])
    assert.equal(errors.length, 1)
    assert.match(errors[0] ?? '', sentence)
  }
})

test('a node that cannot be reached is one sentence and exit code 1', async t => {
  const { child, mqtt, http } = await startShoal(t)
  child.signal('SIGTERM')
  await child.exit()
  const unreachable =
    /^shoal: Cannot reach \S+ \(ECONNREFUSED\)\. Is a node running there\? --url takes another address\.$/
  for (const args of [
    ['status', '--url', http],
    ['owner', 'a', '--url', http],
    ['sub', '-t', 'a', '--url', mqtt],
    ['pub', '-t', 'a', '-m', 'b', '--url', mqtt]
  ]) {
    const { code, errors } = await run(t, ...args)
    assert.equal(code, 1)
    assert.match(errors.join('\n'), unreachable)
  }
})

test('options come from a YAML file, JSON included, and from the environment', async t => {
  const path = optionFile(t, 'shoal.yaml', 'mqttPort: 0\nhttpPort: off\nclusterPort: 0\nlogLevel: silent\n')
  const child = shoal(t, ['start'], { SHOAL_CONFIG: path, SHOAL_NAME: 'test' })
  await child.line(/^cluster \S+, members 1$/)
  assert.equal(child.lines.length, 2, child.output)
  const json = optionFile(t, 'shoal.json', '{ "mqttProt": 0 }')
  const refused = await run(t, 'start', '--config', json)
  assert.match(
    refused.errors.join(),
    /^shoal: There is no option mqttProt \(in .*shoal\.json\)\. Did you mean mqttPort\?/
  )
  const broken = await run(t, 'start', '--config', optionFile(t, 'shoal.yaml', 'a: [1\nb'))
  assert.equal(broken.code, 2)
  assert.match(broken.errors.join(), /^shoal: The option file .*shoal\.yaml is neither YAML nor JSON: /)
})

test('with logFormat json every line of output is an object', async t => {
  const child = shoal(t, ['start', '--mqtt-port=0', '--http-port=0', '--cluster-port=0', '--log-format=json'])
  await child.line(/"msg":"listening"/)
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 0)
  const events = child.lines.map(({ text }) => (JSON.parse(text) as { msg: string }).msg)
  assert.ok(events.includes('listening') && events.at(-1) === 'stopped', events.join())
})

test('clients are told that the node stops', async t => {
  const { child, mqtt: url } = await startShoal(t)
  const client = mqtt.connect(url, { protocolVersion: 5, reconnectPeriod: 0 })
  t.after(() => client.end(true))
  await withDeadline(new Promise(resolve => client.once('connect', resolve)), 'the connection')
  const goodbye = new Promise<number | undefined>(resolve => {
    client.once('disconnect', ({ reasonCode }) => resolve(reasonCode))
  })
  child.signal('SIGINT')
  assert.equal(await withDeadline(goodbye, 'DISCONNECT'), 0x8b)
  assert.equal(await child.exit(), 0)
})

test('a node that waits for its base nodes lets no client in, says so, and can be stopped', async t => {
  const gone = await startShoal(t)
  gone.child.signal('SIGTERM')
  await gone.child.exit()
  const args = ['--mqtt-port=0', '--http-port', portOf(gone.http), '--cluster-port=0', '--base', gone.cluster]
  const child = shoal(t, ['start', ...args])
  await child.line(/no base node answers/)
  const ready = await eventually('an answer', () => fetch(`${gone.http}/ready`))
  assert.equal(ready.status, 503)
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 0)
})

test('a node that is given names is known by an address', async t => {
  const { child, cluster } = await startShoal(t, '--host', 'localhost', '--cluster-host', 'localhost')
  assert.match(cluster, /^(127\.0\.0\.1|::1):\d+$/)
  child.signal('SIGTERM')
  assert.equal(await child.exit(), 0)
})

test('nodes join each other by IPv6 too', async t => {
  if (!Object.values(networkInterfaces()).some(all => all?.some(({ address }) => address === '::1'))) {
    return t.skip('this machine has no IPv6')
  }
  const onIPv6 = ['--host', '::1', '--cluster-host', '::1']
  const first = await startShoal(t, ...onIPv6)
  assert.match(first.mqtt, /^mqtt:\/\/\[::1\]:\d+$/)
  const second = await startShoal(t, ...onIPv6, '--base', first.cluster)
  assert.match(
    (await run(t, 'status', '--url', second.http)).out[0] ?? '',
    /^\[::1\]:\d+ is ready; ring \S+ of 2 nodes/
  )
  assert.equal((await run(t, 'pub', '--url', first.mqtt, '-t', 'a', '-m', 'b', '-q', '1')).code, 0)
})

test('a sub whose output nobody reads any more ends', async t => {
  const { mqtt } = await startShoal(t)
  const sub = shoal(t, ['sub', '--url', mqtt, '-t', 'a'])
  sub.process.stdout?.destroy()
  // Only a sub that has subscribed notices; a retained message reaches it whenever that is.
  await run(t, 'pub', '--url', mqtt, '-t', 'a', '-m', 'x', '-r')
  assert.equal(await sub.exit(), 0)
})
