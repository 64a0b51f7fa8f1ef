// `node aedes-main.js <module> <port>`: aedes by itself on a port of loopback, for a comparison.
import { createServer, type Socket } from 'node:net'

/** What is used of the module; it need not be installed to build this. */
interface AedesModule {
  Aedes: { createBroker(options: { concurrency: number }): Promise<{ handle(socket: Socket): unknown }> }
}

/** Deliveries that aedes works on at once; its own default. */
const CONCURRENCY = 100

const [module = 'aedes', port = '1883'] = process.argv.slice(2)
const { Aedes } = (await import(module)) as AedesModule
const broker = await Aedes.createBroker({ concurrency: CONCURRENCY })
createServer({ noDelay: true }, socket => broker.handle(socket)).listen(Number(port), '127.0.0.1')
