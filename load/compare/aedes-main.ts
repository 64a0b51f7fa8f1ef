// `node aedes-main.js <port> <aedes> [<redis port> <emitter> <persistence>]`: aedes on a port of loopback, by
// itself, or with others by way of a Redis. Packages are given by address.
import { createServer, type Socket } from 'node:net'

interface RedisOptions {
  host: string
  port: number
}

/** What is used of the packages; they need not be installed to build this. */
interface AedesPackage {
  Aedes: { createBroker(options: object): Promise<{ handle(socket: Socket): unknown }> }
}
interface RedisPackage {
  default(options: RedisOptions): object
}

/** Deliveries that aedes works on at once; its own default. */
const CONCURRENCY = 100
const HOST = '127.0.0.1'

async function throughRedis(port: string, emitter: string, persistence: string): Promise<object> {
  const options = { host: HOST, port: Number(port) }
  const [mq, stored] = (await Promise.all([import(emitter), import(persistence)])) as RedisPackage[]
  return { mq: mq!.default(options), persistence: stored!.default(options) }
}

const [port, aedes, redisPort, emitter, persistence] = process.argv.slice(2) as [string, string, ...string[]]
const shared = redisPort === undefined ? {} : await throughRedis(redisPort, emitter!, persistence!)
const { Aedes } = (await import(aedes)) as AedesPackage
const broker = await Aedes.createBroker({ concurrency: CONCURRENCY, ...shared })
createServer({ noDelay: true }, socket => broker.handle(socket)).listen(Number(port), HOST)
