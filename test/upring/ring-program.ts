// A node of a ring in a process of its own: says who it is on standard output once it is up, and answers.
//   node ring-program.js [base...]
import { Readable } from 'node:stream'
import { type ReceivedStreams, upring } from '../../broker/upring.ts'

const ring = upring({ base: process.argv.slice(2), logLevel: 'error', cluster: { preset: 'local' } })

ring.add('cmd:who', async () => ({ id: ring.whoami(), pid: process.pid }))
// An answer that takes its time, so that there is one to be lost.
ring.add('cmd:slow', (_request, reply) => {
  setTimeout(() => reply(null, { id: ring.whoami() }), 300)
})
ring.add<{ streams: ReceivedStreams }>('cmd:flow', ({ streams }, reply) => {
  streams['up']!.resume()
  const down = new Readable({ objectMode: true, read() {} })
  const timer = setInterval(() => down.push({ from: ring.whoami() }), 10)
  down.on('close', () => clearInterval(timer))
  reply(null, { streams: { down } })
})

ring.on('up', () => process.stdout.write(`up ${ring.whoami()}\n`))
process.on('SIGTERM', () => void ring.close().then(() => process.exit(0)))
