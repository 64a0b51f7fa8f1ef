// tentacoli 1.0 from npm, as its README shows it. It takes a stream of today's Node for something else, so it is given
// one of the library that it was written for.
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { type Duplex, pipeline, type Readable } from 'node:stream'
import { type Contender, HOST, source } from './contender.ts'

interface Message {
  download?: number
  streams?: Record<string, Readable>
}

/** Bytes that overtake the reply that announces them fill the connection, and it never arrives: they have to wait. */
const DELAY_MS = 100

type Listener = (request: Message, reply: (error: null, message: Message) => void) => void

/** What is used of the package, which has no types. */
interface Instance {
  request(message: object, done: (error: Error | null, reply: Message) => void): void
  on(event: 'request', listener: Listener): this
}

interface Package {
  tentacoli(): Instance
  /** `stream`, as a stream of the library. */
  wrapped(stream: Readable): Readable
}

function instanceOver(socket: Duplex, { tentacoli }: Package): Instance {
  const instance = tentacoli()
  pipeline(socket, instance as unknown as Duplex, socket, () => {})
  return instance
}

function load(): Package {
  const ours = createRequire(import.meta.url)
  const theirs = createRequire(ours.resolve('tentacoli'))
  const { Readable: Old } = theirs('readable-stream') as { Readable: typeof Readable }
  return {
    tentacoli: ours('tentacoli') as () => Instance,
    wrapped: stream => new Old().wrap(stream)
  }
}

export const tentacoliPackage: Contender = {
  async serve() {
    const library = load()
    const server = createServer({ noDelay: true }, socket => {
      instanceOver(socket, library).on('request', (request, reply) => {
        if (request.download === undefined) reply(null, request)
        else reply(null, { streams: { bytes: library.wrapped(source(request.download, DELAY_MS)) } })
      })
    })
    return new Promise(resolve => {
      server.listen(0, HOST, () => resolve((server.address() as { port: number }).port))
    })
  },

  async connect(port) {
    const instance = instanceOver(connect({ port, host: HOST, noDelay: true }), load())
    return {
      ask: (question, answered) => instance.request(question, answered),
      download: bytes =>
        new Promise((resolve, reject) => {
          instance.request({ download: bytes }, (error, reply) => {
            if (error === null) resolve(reply.streams!['bytes']!)
            else reject(error)
          })
        })
    }
  }
}
