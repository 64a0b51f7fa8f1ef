// A port of the loopback that is free for TCP and for UDP, for programs that cannot be told port 0.
// Another process may take it before its user does; listen on port 0 wherever that is possible.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const HOST = '127.0.0.1'
const TRIES_MAX = 50

/** Never the same port twice in one process. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = await tcpPort()
    if (!given.has(port) && (await udpIsFree(port))) {
      given.add(port)
      return port
    }
  }
  throw new Error(`no port that is free for TCP and UDP after ${TRIES_MAX} tries`)
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

const given = new Set<number>()

async function tcpPort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('a TCP server has an address')
  return address.port
}

async function udpIsFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  try {
    socket.bind(port, HOST)
    await once(socket, 'listening')
    return true
  } catch {
    return false
  } finally {
    socket.close()
  }
}
