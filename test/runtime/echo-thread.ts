// A thread that listens on the network between threads, and sends back what it is sent.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import { Sibling } from '../../broker/runtime/sibling.ts'
import { ThreadNetwork } from '../../broker/runtime/thread-network.ts'

const HOST = '127.0.0.1'
const { clock, network: beneath } = nodeRuntime()
const siblings = [new Sibling(workerData as MessagePort)]
const network = new ThreadNetwork({ beneath, clock, host: HOST, siblings })
const listener = await network.listen({ host: HOST, port: 0 }, stream => {
  stream.on('error', () => {})
  stream.pipe(stream)
})
parentPort!.postMessage(listener.address)
