// The bare socket, the floor of all others: JSON, a line each, answered in order; bytes on a connection of their own.
import { connect, createServer, type Socket } from 'node:net'
import { type Answered, type Contender, HOST, source } from './contender.ts'

function onLines(socket: Socket, take: (line: string) => void): void {
  let rest = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) take(line)
  })
}

export const socket: Contender = {
  serve: () =>
    new Promise(resolve => {
      const server = createServer({ noDelay: true }, peer => {
        onLines(peer, line => {
          const question = JSON.parse(line) as { download?: number }
          if (question.download === undefined) peer.write(`${JSON.stringify(question)}\n`)
          else source(question.download).pipe(peer)
        })
      })
      server.listen(0, HOST, () => resolve((server.address() as { port: number }).port))
    }),

  async connect(port) {
    const waiting: Answered[] = []
    const peer = connect({ port, host: HOST, noDelay: true })
    onLines(peer, line => waiting.shift()!(null, JSON.parse(line)))
    return {
      ask(question, answered) {
        waiting.push(answered)
        peer.write(`${JSON.stringify(question)}\n`)
      },
      async download(bytes) {
        const other = connect({ port, host: HOST })
        other.write(`${JSON.stringify({ download: bytes })}\n`)
        return other
      }
    }
  }
}
