// HTTP/2 as Node has it: a POST with JSON for each question; a GET for bytes, through the windows that it has by default.
import { connect, createServer } from 'node:http2'
import { type Contender, HOST, source } from './contender.ts'

export const http2: Contender = {
  serve: () =>
    new Promise(resolve => {
      const server = createServer()
      server.on('stream', (stream, headers) => {
        const path = headers[':path'] ?? ''
        if (path !== '/') {
          source(Number(path.slice(1))).pipe(stream)
          return
        }
        let text = ''
        stream.setEncoding('utf8').on('data', part => {
          text += part
        })
        stream.on('end', () => {
          stream.respond({ ':status': 200, 'content-type': 'application/json' })
          stream.end(JSON.stringify(JSON.parse(text)))
        })
      })
      server.listen(0, HOST, () => resolve((server.address() as { port: number }).port))
    }),

  async connect(port) {
    const session = connect(`http://${HOST}:${port}`)
    return {
      ask(question, answered) {
        const stream = session.request({ ':method': 'POST', ':path': '/' })
        let text = ''
        stream.setEncoding('utf8').on('data', part => {
          text += part
        })
        stream.on('end', () => answered(null, JSON.parse(text)))
        stream.on('error', error => answered(error, null))
        stream.end(JSON.stringify(question))
      },
      async download(bytes) {
        return session.request({ ':method': 'GET', ':path': `/${bytes}` })
      }
    }
  }
}
