// `node aedes-ring-main.js <port> <aedes> <cluster port> [base]`: aedes on a port of loopback, with others by way of a ring. The
// package is given by its address.
import { createServer, type Socket } from 'node:net'
import { aedesOnRing } from '../../gateway/aedes/index.ts'

/** What is used of the package; it need not be installed to build this. */
interface AedesPackage {
  Aedes: { createBroker(options: object): Promise<{ handle(socket: Socket): unknown }> }
}

const HOST = '127.0.0.1'

const [port, aedes, clusterPort, ...base] = process.argv.slice(2) as [string, string, string, ...string[]]
const { Aedes } = (await import(aedes)) as AedesPackage
const { mq, persistence } = await aedesOnRing({
  base,
  host: HOST,
  port: Number(clusterPort),
  logLevel: 'warn'
})
const broker = await Aedes.createBroker({ mq, persistence })
createServer({ noDelay: true }, socket => broker.handle(socket)).listen(Number(port), HOST)
