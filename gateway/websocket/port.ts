// Listening on a port that no one else has, or only other threads of this process. The library either shares
// a port with whoever listens on it already (SO_REUSEPORT), or takes it alone but then not again for a minute
// after its last connections (no SO_REUSEADDR): a node that restarts would be without its port. So the
// system is asked first.

import uWS, { type TemplatedApp, type us_listen_socket, type us_socket } from 'uWebSockets.js'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { ShoalError } from '../../broker/errors.ts'
import type { PortSharing } from './options.ts'

export interface ListeningPort {
  readonly port: number
  /** Stops accepting. Twice is once. */
  close(): void
}

/** Port 0 takes any free one. Who joins a port takes it that others have it. Rejects: PORT_IN_USE, or the system's error. */
export async function listenOn(
  app: TemplatedApp,
  host: string,
  port: number,
  sharing: PortSharing
): Promise<ListeningPort> {
  let chosen = port
  // The library would not let others join a port that the system has chosen for it.
  if (sharing === 'opens' && port === 0) chosen = await findFree(host, 0)
  else if (sharing !== 'joins' && port !== 0) await findFree(host, port)
  const token = await new Promise<us_listen_socket | false>(resolve => app.listen(host, chosen, resolve))
  if (token === false) throw new ShoalError('PORT_IN_USE', { host, port })
  let isOpen = true
  return {
    port: uWS.us_socket_local_port(token as us_socket),
    close() {
      if (isOpen) uWS.us_listen_socket_close(token)
      isOpen = false
    }
  }
}

/** A port that nobody has: this one, or for 0 any. */
async function findFree(host: string, port: number): Promise<number> {
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw code === 'EADDRINUSE' ? new ShoalError('PORT_IN_USE', { host, port }, error) : error
  }
  const bound = server.address()
  server.close()
  await once(server, 'close')
  return bound !== null && typeof bound === 'object' ? bound.port : port
}
