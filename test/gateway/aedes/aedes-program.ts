// aedes on a ring, in a process of its own: says on standard output where it is once it is up.
//   node aedes-program.js [base...]
import { createServer } from 'node:net'
import { Aedes } from 'aedes'
import { aedesOnRing } from '../../../gateway/aedes/index.ts'

const { mq, persistence, broker, close } = await aedesOnRing({
  base: process.argv.slice(2),
  logLevel: 'warn',
  cluster: { preset: 'local' }
})
const aedes = await Aedes.createBroker({ mq, persistence })
const server = createServer(socket => aedes.handle(socket))
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  process.stdout.write(`up ${broker.id} ${port}\n`)
})

process.on('SIGTERM', () => {
  server.close()
  aedes.close(() => void close().then(() => process.exit(0)))
})
