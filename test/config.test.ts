// The options: what may be written, where, and what is said when it may not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { defaultOptions } from '../broker/broker.ts'
import { type Config, isLoopback, OPTIONS, readConfig } from '../broker/config.ts'
import { ShoalError } from '../broker/errors.ts'
import { MESSAGE_BYTES_MAX } from '../broker/message.ts'
import {
  bytes,
  choice,
  duration,
  environmentNameOf,
  flag,
  flagOf,
  type Given,
  integer,
  list,
  type Option,
  portOrOff,
  suggestion,
  word
} from '../broker/options/index.ts'
import { MQTT_DEFAULTS } from '../gateway/mqtt/options.ts'
import { WEB_DEFAULTS } from '../gateway/websocket/options.ts'

function flags(given: Record<string, unknown>): Map<string, Given> {
  return new Map(Object.entries(given).map(([name, value]) => [name, { label: `--${flagOf(name)}`, value }]))
}

function refusal(read: () => Config): string {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof ShoalError)
    assert.equal(error.code, 'OPTION_INVALID')
    return error.message
  }
  return assert.fail('nothing was refused')
}

test('without any options, all listens on loopback, on the ports that everybody expects', () => {
  const { host, mqttPort, httpPort, clusterHost, clusterPort, base } = readConfig({})
  assert.deepEqual(
    { host, mqttPort, httpPort, clusterHost, clusterPort, base },
    {
      host: '127.0.0.1',
      mqttPort: 1883,
      httpPort: 8080,
      clusterHost: '127.0.0.1',
      clusterPort: 7979,
      base: []
    }
  )
})

test('flags win over the environment, the environment over the file, the file over the defaults', () => {
  const config = readConfig({
    flags: flags({ mqttPort: '1' }),
    environment: { SHOAL_MQTT_PORT: '2', SHOAL_HTTP_PORT: '3', PATH: '/bin' },
    file: { name: 'shoal.yaml', content: { mqttPort: 4, httpPort: 5, clusterPort: 6 } }
  })
  assert.deepEqual([config.mqttPort, config.httpPort, config.clusterPort], [1, 3, 6])
  assert.equal(config.closeTimeoutMs, OPTIONS.closeTimeoutMs.default)
})

test('a bad value is refused also where a stronger source covers it', () => {
  const sources = { flags: flags({ mqttPort: '1' }), environment: { SHOAL_MQTT_PORT: 'two' } }
  assert.match(
    refusal(() => readConfig(sources)),
    /^SHOAL_MQTT_PORT is "two", but must be a port from 0 to 65535/
  )
})

test('an unknown option of the environment is refused with the one that was probably meant', () => {
  const message = refusal(() => readConfig({ environment: { SHOAL_MQTTPORT: '1' } }))
  assert.equal(message, 'There is no option SHOAL_MQTTPORT. Did you mean SHOAL_MQTT_PORT?')
})

test('an unknown option of a file is refused, by its own custom of writing', () => {
  const content = { 'mqtt-port': 1 }
  const message = refusal(() => readConfig({ file: { name: 'a.yaml', content } }))
  assert.equal(message, 'There is no option mqtt-port (in a.yaml). Did you mean mqttPort?')
  assert.match(
    refusal(() => readConfig({ file: { name: 'a.yaml', content: { constructor: 1 } } })),
    /^There is no option constructor \(in a\.yaml\)\./
  )
})

test('a file that holds no options but something else is refused; an empty one is not', () => {
  assert.match(
    refusal(() => readConfig({ file: { name: 'a.yaml', content: ['x'] } })),
    /^a\.yaml must hold/
  )
  assert.match(
    refusal(() => readConfig({ file: { name: 'a.yaml', content: 'x' } })),
    /^a\.yaml must hold/
  )
  assert.equal(readConfig({ file: { name: 'a.yaml', content: null } }).mqttPort, 1883)
})

test('the variables that Kubernetes makes for a service called shoal are none of ours', () => {
  const environment = {
    SHOAL_SERVICE_HOST: '10.0.0.1',
    SHOAL_SERVICE_PORT_MQTT: '1883',
    SHOAL_PORT: 'tcp://10.0.0.1:1883',
    SHOAL_PORT_1883_TCP_ADDR: '10.0.0.1',
    SHOAL_GATEWAY_SERVICE_PORT: '1883'
  }
  assert.equal(readConfig({ environment }).mqttPort, 1883)
})

test('an empty variable counts as not given', () => {
  assert.equal(readConfig({ environment: { SHOAL_MQTT_PORT: '' } }).mqttPort, 1883)
})

const KEY = 'c2hvYWwgc2hvYWwgc2hvYWwgc2hvYWwgc2hvYWwgc2g='

test('the cluster port leaves loopback with a key, or when told that it may without', () => {
  const given = { clusterHost: '0.0.0.0' }
  assert.match(
    refusal(() => readConfig({ flags: flags(given) })),
    /clusterHost.*0\.0\.0\.0.*shoal keygen.*--cluster-key-file.*--insecure/
  )
  for (const more of [{ insecure: true }, { clusterKeyFile: 'cluster.key' }]) {
    assert.equal(readConfig({ flags: flags({ ...given, ...more }) }).clusterHost, '0.0.0.0')
  }
  const keyed = readConfig({ flags: flags(given), environment: { SHOAL_CLUSTER_KEY: KEY } })
  assert.deepEqual(keyed.clusterKey, [KEY])
})

test('TLS for links stands beside the key, not in its place, and its three files belong together', () => {
  const tls = { clusterTlsCert: 'a.pem', clusterTlsKey: 'a.key', clusterTlsCa: 'ca.pem' }
  assert.equal(readConfig({ flags: flags(tls) }).clusterTlsCa, 'ca.pem')
  assert.match(
    refusal(() => readConfig({ flags: flags({ ...tls, clusterHost: '10.0.0.1' }) })),
    /gossip needs a key as well/
  )
  assert.match(
    refusal(() => readConfig({ flags: flags({ ...tls, clusterTlsCa: '' }) })),
    /clusterTlsCert, clusterTlsKey and clusterTlsCa belong together/
  )
})

test('a key is given by one way, and a bad one is not repeated in the message', () => {
  const both = { flags: flags({ clusterKeyFile: 'a' }), environment: { SHOAL_CLUSTER_KEY: KEY } }
  assert.match(
    refusal(() => readConfig(both)),
    /clusterKey and clusterKeyFile are both given/
  )
  const message = refusal(() => readConfig({ environment: { SHOAL_CLUSTER_KEY: 'c2VjcmV0' } }))
  assert.match(message, /^SHOAL_CLUSTER_KEY must be at most 8 of keys of 32 bytes/)
  assert.doesNotMatch(message, /c2VjcmV0/)
})

test('clients from other machines are let in only when told to', () => {
  assert.match(
    refusal(() => readConfig({ flags: flags({ host: '::' }) })),
    /host.*::.*--allow-anonymous/
  )
  assert.equal(readConfig({ flags: flags({ host: '::', allowAnonymous: true }) }).host, '::')
  assert.equal(readConfig({ flags: flags({ host: '::', mqttPort: 'off', httpPort: 'off' }) }).mqttPort, 'off')
})

test('a node that owns no topics needs to be told of others', () => {
  assert.match(
    refusal(() => readConfig({ flags: flags({ client: true }) })),
    /--base host:port/
  )
  assert.equal(readConfig({ flags: flags({ client: true, base: ['a:1'] }) }).client, true)
})

test('a client must be able to get the largest packet', () => {
  const given = { packetBytesMax: '8MiB', outboxBytesMax: '1MiB' }
  assert.match(
    refusal(() => readConfig({ flags: flags(given) })),
    /outboxBytesMax.*packetBytesMax/
  )
})

test('a packet may not be larger than a message between nodes', () => {
  const largest = String(MESSAGE_BYTES_MAX)
  const room = { outboxBytesMax: '16MiB', queueBytesMax: '16MiB' }
  assert.equal(
    readConfig({ flags: flags({ ...room, packetBytesMax: largest }) }).packetBytesMax,
    16 * 2 ** 20 - 2 ** 16
  )
  assert.match(
    refusal(() => readConfig({ flags: flags({ ...room, packetBytesMax: '16MiB' }) })),
    /packet-bytes-max is "16MiB", but must be bytes, or with a unit, from 1KiB to 16320KiB/
  )
})

test('times and sizes may have units', () => {
  const config = readConfig({
    flags: flags({ closeTimeoutMs: '3s', packetBytesMax: '2 MiB', connectTimeoutMs: 1500 })
  })
  assert.deepEqual(
    [config.closeTimeoutMs, config.packetBytesMax, config.connectTimeoutMs],
    [3000, 2_097_152, 1500]
  )
  for (const value of ['3 days', '3.5s', '-1', 's', '99h', 1.5, Number.NaN, null, {}, true]) {
    assert.equal(OPTIONS.closeTimeoutMs.read(value), undefined, String(value))
  }
})

test('base takes a list, or text with commas, of addresses with a port', () => {
  for (const base of [['a:1', '[::1]:2'], 'a:1, [::1]:2', ['a:1,[::1]:2']]) {
    assert.deepEqual(readConfig({ flags: flags({ base }) }).base, ['a:1', '[::1]:2'])
  }
  for (const base of ['a', 'a:', ':1', 'a:b', 'http://a:1', 'a:0', [1], 'a:1 b:2']) {
    assert.match(
      refusal(() => readConfig({ flags: flags({ base }) })),
      /^--base is /
    )
  }
})

test('YAML turns off into false, and a port understands', () => {
  assert.equal(OPTIONS.mqttPort.read(false), 'off')
  assert.equal(OPTIONS.mqttPort.read(true), undefined)
})

test('a long bad value is cut short in the message', () => {
  assert.ok(refusal(() => readConfig({ flags: flags({ host: 'x y'.repeat(1000) }) })).length < 300)
})

test('every option can be written as a flag and as a variable, each by one name', () => {
  const names = Object.keys(OPTIONS)
  assert.equal(new Set(names.map(flagOf)).size, names.length)
  for (const name of names) {
    assert.match(name, /^[a-z][A-Za-z]*$/)
    assert.match(flagOf(name), /^[a-z][a-z-]*$/)
    assert.match(environmentNameOf(name), /^SHOAL_[A-Z_]+$/)
  }
})

test('every option reads back what it shows, has its default allowed, and says why in one sentence', () => {
  for (const [name, option] of Object.entries(OPTIONS) as [string, Option<unknown>][]) {
    assert.deepEqual(option.read(option.show(option.default)), option.default, name)
    assert.match(option.why, /^[A-Z`].*[^.]\.$/, name)
    assert.doesNotMatch(option.why, /[|\n]/, name)
  }
})

test('reading is the inverse of showing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 40 }), number => {
      assert.equal(duration(0, 0, 2 ** 40, '').read(duration(0, 0, 2 ** 40, '').show(number)), number)
      assert.equal(bytes(0, 0, 2 ** 40, '').read(bytes(0, 0, 2 ** 40, '').show(number)), number)
      assert.equal(integer(0, 0, 2 ** 40, '').read(String(number)), number)
    })
  )
})

test('no value of any kind makes an option throw', () => {
  const options: Option<unknown>[] = [
    ...Object.values(OPTIONS),
    flag(false, ''),
    choice('a', ['a'], ''),
    word('', '', { pattern: /x/, allowed: 'x' }),
    list(1, '', { pattern: /x/, allowed: 'x' }),
    portOrOff(1, '')
  ]
  fc.assert(
    fc.property(fc.anything(), value => {
      for (const option of options) option.read(value)
    })
  )
})

test('the defaults of the broker and the gateways are those of the table', () => {
  const table: Record<string, unknown> = readConfig({})
  const same = (defaults: object, except: readonly string[]): void => {
    for (const [name, value] of Object.entries(defaults)) {
      if (Object.hasOwn(table, name) && !except.includes(name)) assert.deepEqual(table[name], value, name)
    }
  }
  same(defaultOptions, ['advertiseHost'])
  same(MQTT_DEFAULTS, [])
  // A browser by itself gets less than an MQTT client; as a part of a node, both get what the table says.
  same(WEB_DEFAULTS, ['publishWindow', 'outboxBytesMax', 'subscriptionsMax'])
})

test('loopback is known in its forms, and a name is not looked up', () => {
  for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1'])
    assert.equal(isLoopback(host), true, host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.org', '127.0.0.1.example.org', '']) {
    assert.equal(isLoopback(host), false, host)
  }
})

test('a slip of the finger finds the word, and a foreign word finds none', () => {
  const words = ['mqttPort', 'httpPort', 'host', 'base', 'logLevel']
  assert.equal(suggestion('mqttPrt', words), 'mqttPort')
  assert.equal(suggestion('MQTT_PORT', words), 'mqttPort')
  assert.equal(suggestion('htpt-port', words), 'httpPort')
  assert.equal(suggestion('hots', words), 'host')
  assert.equal(suggestion('loglevl', words), 'logLevel')
  assert.equal(suggestion('quorum', words), undefined)
  assert.equal(suggestion('', words), undefined)
})
