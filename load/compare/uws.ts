// uWebSockets.js alone, publishing to browsers by its own `app.publish`: what the WebSocket gateway is measured by.
import { fileURLToPath } from 'node:url'
import { Child } from './child.ts'
import { packageVersion } from './packages.ts'
import { awaitPort, type BrokerKind, freePort, type StartedBroker } from './started.ts'

const program = fileURLToPath(new URL('./uws-main.js', import.meta.url))

async function start(core: number | undefined): Promise<StartedBroker> {
  const port = await freePort()
  const child = new Child(core, process.execPath, [program, String(port)])
  const stop = () => child.stop()
  try {
    await awaitPort(child, port)
  } catch (error) {
    await stop()
    throw error
  }
  return { urls: [], webUrls: [`http://127.0.0.1:${port}`], pids: [child.pid], stop }
}

export const uws: BrokerKind = { speaks: ['browser'], version: () => packageVersion('uWebSockets.js'), start }
