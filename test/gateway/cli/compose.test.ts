// The container files, which no test here can run: every path, variable, command and port in them is
// held against what it names.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { readConfig } from '../../../broker/config.ts'
import { readArguments } from '../../../gateway/cli/arguments.ts'
import { isRecord } from '../../../gateway/cli/http.ts'
import { COMMANDS } from '../../../gateway/cli/program.ts'
import { repositoryRoot } from '../../support/root.ts'

const root = repositoryRoot()
const compose: unknown = parse(readFileSync(join(root, 'compose.yaml'), 'utf8'), { merge: true })
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll(/\\\n\s*/g, '')
const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

function field(value: unknown, ...path: string[]): unknown {
  return path.reduce((inner: unknown, name) => (isRecord(inner) ? inner[name] : undefined), value)
}

function services(): [string, Record<string, unknown>][] {
  const all = field(compose, 'services')
  assert.ok(isRecord(all))
  return Object.entries(all).map(([name, service]) => {
    assert.ok(isRecord(service))
    return [name, service]
  })
}

function environment(service: unknown): Record<string, string> {
  const variables = field(service, 'environment')
  assert.ok(isRecord(variables))
  for (const [name, value] of Object.entries(variables)) assert.equal(typeof value, 'string', name)
  return variables as Record<string, string>
}

/** The arguments of an instruction, of each time it is used. */
function instructions(name: string): string[] {
  return [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, rest = '']) => rest)
}

test('compose.yaml has three nodes, whose variables are options that a node starts with', () => {
  assert.deepEqual(
    services().map(([name]) => name),
    ['node1', 'node2', 'node3']
  )
  for (const [, service] of services()) {
    const config = readConfig({ environment: environment(service) })
    assert.equal(config.host, '0.0.0.0')
    assert.deepEqual(
      config.base,
      services().map(([name]) => `${name}:${config.clusterPort}`)
    )
  }
})

test('the published ports lead to the ports the node listens on, and no two are the same', () => {
  const published: string[] = []
  for (const [, service] of services()) {
    const { mqttPort, httpPort } = readConfig({ environment: environment(service) })
    const ports = field(service, 'ports')
    assert.ok(Array.isArray(ports))
    const parts = ports.map(port => String(port).split(':'))
    assert.deepEqual(
      parts.map(([, , inside]) => Number(inside)),
      [mqttPort, httpPort]
    )
    for (const [host, outside] of parts) {
      assert.equal(host, '127.0.0.1')
      published.push(outside ?? '')
    }
  }
  assert.deepEqual(published, ['1883', '8080', '1884', '8081', '1885', '8082'])
})

test('the health checks ask the port of HTTP for /ready, and are scripts that parse', () => {
  const inImage = instructions('HEALTHCHECK').map(
    check => JSON.parse(check.slice(check.indexOf('['))) as string[]
  )
  const { httpPort } = readConfig({})
  for (const command of [
    ...services().map(([, service]) => field(service, 'healthcheck', 'test')),
    ...inImage
  ]) {
    assert.ok(Array.isArray(command))
    const [node, flag, script] = command.filter(word => word !== 'CMD')
    assert.deepEqual([node, flag], ['node', '-e'])
    assert.ok(String(script).includes(`fetch('http://127.0.0.1:${httpPort}/ready')`))
    assert.doesNotThrow(() => new Function(String(script)))
  }
})

test('a container is given more time to stop than a node takes', () => {
  for (const [, service] of services()) {
    const [, seconds] = /^(\d+)s$/.exec(String(field(service, 'stop_grace_period'))) ?? []
    assert.ok(Number(seconds) * 1000 > readConfig({ environment: environment(service) }).closeTimeoutMs)
  }
})

test('the key of the cluster is a secret that each node has, from a file that no image and no commit gets', () => {
  const secrets = field(compose, 'secrets')
  assert.ok(isRecord(secrets))
  for (const [, service] of services()) {
    const { clusterKeyFile } = readConfig({ environment: environment(service) })
    const names = field(service, 'secrets')
    assert.ok(Array.isArray(names))
    assert.equal(names.length, 1)
    assert.equal(clusterKeyFile, `/run/secrets/${names[0]}`)
    assert.equal(field(secrets, String(names[0]), 'file'), './cluster.key')
  }
  assert.ok(readFileSync(join(root, '.gitignore'), 'utf8').split('\n').includes('cluster.key'))
  assert.ok(!readFileSync(join(root, '.dockerignore'), 'utf8').includes('cluster.key'))
})

test('compose.yaml builds from the folder that the Dockerfile is in', () => {
  for (const [, service] of services()) {
    const context = field(service, 'build')
    assert.equal(typeof context, 'string')
    assert.ok(existsSync(join(root, String(context), 'Dockerfile')))
  }
})

test('what the Dockerfile copies is there, and is not ignored', () => {
  const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n')
  assert.ok(ignored.includes('*'))
  const copied = instructions('COPY')
    .filter(copy => !copy.startsWith('--from'))
    .flatMap(copy => copy.split(' ').slice(0, -1))
  for (const path of copied) {
    assert.ok(existsSync(join(root, path)), path)
    assert.ok(ignored.includes(`!${path}`), `${path} in .dockerignore`)
  }
  for (const folder of ['broker', 'gateway', 'client-js', 'package-lock.json', 'tsconfig.json']) {
    assert.ok(copied.includes(folder), folder)
  }
})

test('the image starts the program of package.json, by a command that there is, on a Node that it supports', () => {
  const [entry = ''] = instructions('ENTRYPOINT')
  const [command = ''] = instructions('CMD')
  const workdir = instructions('WORKDIR').at(-1)
  assert.deepEqual(JSON.parse(entry), ['node', `${workdir}/${String(field(manifest, 'bin', 'shoal'))}`])
  const [name, ...rest] = JSON.parse(command) as string[]
  const found = COMMANDS.find(one => one.name === name)
  assert.ok(found)
  readArguments(found, rest)
  for (const image of instructions('FROM')) assert.match(image, /^node:20-bookworm-slim( AS build)?$/)
  assert.match(String(field(manifest, 'engines', 'node')), /^>=20\./)
})

test('the image exposes the ports of the options, and runs scripts that package.json has', () => {
  const { mqttPort, httpPort, clusterPort } = readConfig({})
  assert.deepEqual(instructions('EXPOSE'), [`${mqttPort} ${httpPort} ${clusterPort}/tcp ${clusterPort}/udp`])
  for (const [, script = ''] of dockerfile.matchAll(/npm run (\S+)/g)) {
    assert.equal(typeof field(manifest, 'scripts', script), 'string', script)
  }
})
