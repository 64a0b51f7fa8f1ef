// Our tentacoli(), used as the original is.
import { connect, createServer, type Socket } from 'node:net'
import { pipeline, type Readable } from 'node:stream'
import { type Received, type Tentacoli, tentacoli } from '../../broker/tentacoli/index.ts'
import { type Contender, HOST, source } from './contender.ts'

function instanceOver(socket: Socket): Tentacoli {
  const instance = tentacoli()
  pipeline(socket, instance, socket, () => {})
  return instance
}

export const ourTentacoli: Contender = {
  serve: () =>
    new Promise(resolve => {
      const server = createServer({ noDelay: true }, socket => {
        instanceOver(socket).on('request', (request, reply) => {
          const bytes = request['download']
          if (typeof bytes === 'number') reply(null, { streams: { bytes: source(bytes) } })
          else reply(null, request)
        })
      })
      server.listen(0, HOST, () => resolve((server.address() as { port: number }).port))
    }),

  async connect(port) {
    const instance = instanceOver(connect({ port, host: HOST, noDelay: true }))
    return {
      ask: (question, answered) => instance.request(question, answered),
      async download(bytes): Promise<Readable> {
        return (await instance.request<Received>({ download: bytes })).streams['bytes']!
      }
    }
  }
}
