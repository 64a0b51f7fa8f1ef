// The command line as it is typed, and as it is understood.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, usageOf } from '../../../gateway/cli/arguments.ts'
import type { Command } from '../../../gateway/cli/command.ts'
import { Failure } from '../../../gateway/cli/failure.ts'
import { owner } from '../../../gateway/cli/owner.ts'
import { pub } from '../../../gateway/cli/pub.ts'
import { start } from '../../../gateway/cli/start.ts'
import { sub } from '../../../gateway/cli/sub.ts'

function read(command: Command, ...argv: string[]): Record<string, unknown> {
  const { flags } = readArguments(command, argv)
  return Object.fromEntries([...flags].map(([name, { value }]) => [name, value]))
}

test('a value follows its flag, or an equals sign, and the last one counts', () => {
  assert.deepEqual(read(start, '--mqtt-port', '1', '--http-port=2', '--mqtt-port=3'), {
    mqttPort: '3',
    httpPort: '2'
  })
})

test('a boolean flag stands alone, and --no- turns it off', () => {
  assert.deepEqual(read(start, '--client', '--no-allow-anonymous'), { client: true, allowAnonymous: false })
  assert.deepEqual(read(start, '--client=false'), { client: 'false' })
})

test('letters stand for flags', () => {
  assert.deepEqual(read(pub, '-t', 'a', '-m', '-5', '-q1', '-r'), {
    topic: 'a',
    message: '-5',
    qos: '1',
    retain: true
  })
})

test('a flag that may be repeated gathers its values', () => {
  assert.deepEqual(read(sub, '-t', 'a,b', '--topic=c'), { topic: ['a,b', 'c'] })
})

test('a flag without its value is given, but with nothing', () => {
  assert.deepEqual(read(start, '--mqtt-port'), { mqttPort: undefined })
})

test('an unknown flag is refused with the one that was probably meant', () => {
  const refused = (command: Command, flag: string, near: string): void => {
    assert.throws(() => read(command, flag), {
      code: 'OPTION_INVALID',
      message: `There is no option ${flag}.${near}`
    })
  }
  refused(start, '--mqtt-prot', ' Did you mean --mqtt-port?')
  refused(start, '--no-mqtt-port', ' Did you mean --mqtt-port?')
  refused(start, '--quorum', '')
  refused(start, '-x', '')
  refused(pub, '--retian', ' Did you mean --retain?')
})

test('an argument too few or too many is refused with the usage', () => {
  assert.throws(() => read(owner), new Failure('<topic> is missing. Usage: shoal owner <topic> [options]', 2))
  assert.throws(() => read(start, 'now'), /"now" is one argument too many\. Usage: shoal start \[options\]/)
  assert.deepEqual(readArguments(owner, ['--', '--odd']).positionals, ['--odd'])
  assert.equal(usageOf(owner), 'shoal owner <topic> [options]')
})

test('a secret on the command line is refused, with the ways that it may take', () => {
  for (const argv of [['--cluster-key', 'x'], ['--cluster-key=x']]) {
    assert.throws(() => read(start, ...argv), {
      code: 'OPTION_INVALID',
      message: /^--cluster-key is secret.*SHOAL_CLUSTER_KEY, or in an option file\.$/
    })
  }
})
