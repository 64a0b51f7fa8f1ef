// The network between threads keeps what every network promises; two of them in one thread are as good as in two.
import { MessageChannel } from 'node:worker_threads'
import { nodeRuntime } from '../../broker/runtime/node.ts'
import { Sibling } from '../../broker/runtime/sibling.ts'
import { ThreadNetwork } from '../../broker/runtime/thread-network.ts'
import { withDeadline } from '../support/deadline.ts'
import { runtimeContract } from './contract.ts'

runtimeContract('the network between threads', t => {
  const runtime = nodeRuntime()
  const { port1, port2 } = new MessageChannel()
  const [near, far] = [port1, port2].map(port => {
    const sibling = new Sibling(port)
    t.after(() => sibling.close())
    const network = new ThreadNetwork({
      beneath: runtime.network,
      clock: runtime.clock,
      host: '127.0.0.1',
      siblings: [sibling]
    })
    return { ...runtime, network }
  })
  return {
    near: near!,
    far: far!,
    nearHost: '127.0.0.1',
    farHost: '127.0.0.1',
    settle: promise => withDeadline(promise, 'the contract')
  }
})
