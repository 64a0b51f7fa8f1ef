// A node with kv in a process of its own: says who it is once it is up.
//   node kv-program.js [base...]
import { kv } from '../../../broker/plugins/kv/index.ts'
import { upring } from '../../../broker/upring.ts'

const ring = upring({ base: process.argv.slice(2), logLevel: 'error', cluster: { preset: 'local' } })
ring.use(kv)
ring.on('up', () => process.stdout.write(`up ${ring.whoami()}\n`))
process.on('SIGTERM', () => void ring.close().then(() => process.exit(0)))
