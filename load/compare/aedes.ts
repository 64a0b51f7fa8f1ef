// aedes, the MQTT broker in JavaScript, in a process of its own. It is found where Node finds modules: in
// the project, or in a folder of NODE_PATH.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { awaitPort, type BrokerKind, Child, freePort, type StartedBroker } from './started.ts'

const program = fileURLToPath(new URL('./aedes-main.js', import.meta.url))

function entry(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve('aedes')
  } catch {
    return undefined
  }
}

function version(): string | undefined {
  const file = entry()
  if (file === undefined) return undefined
  try {
    const { version } = JSON.parse(readFileSync(join(dirname(file), 'package.json'), 'utf8')) as {
      version: string
    }
    return version
  } catch {
    return 'unknown'
  }
}

async function start(core: number | undefined): Promise<StartedBroker> {
  const port = await freePort()
  const file = entry()
  const url = file === undefined ? 'aedes' : pathToFileURL(file).href
  const child = new Child(core, process.execPath, [program, url, String(port)])
  try {
    await awaitPort(child, port)
  } catch (error) {
    await child.stop()
    throw error
  }
  return { urls: [`mqtt://127.0.0.1:${port}`], pids: [child.pid], stop: () => child.stop() }
}

export const aedes: BrokerKind = { version, start }
