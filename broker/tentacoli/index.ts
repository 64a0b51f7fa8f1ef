// `shoal/tentacoli`: requests and streams over one connection. It stands alone: no ring, no gossip, no topics.
//
//     import { connect, createServer } from 'node:net'
//     import { tentacoli } from 'shoal/tentacoli'
//
//     createServer(socket => {
//       const instance = tentacoli()
//       instance.on('request', (request, reply) => reply(null, { hello: request.name }))
//       pipeline(socket, instance, socket, () => {})
//     }).listen(4200)
//
//     const socket = connect(4200)
//     const instance = tentacoli()
//     pipeline(socket, instance, socket, () => {})
//     const { hello } = await instance.request({ name: 'world' })
export { ShoalError } from '../errors.ts'
export type { Codec, TentacoliOptions } from './options.ts'
export { RemoteError } from './remote-error.ts'
export { type Received, type Reply, Tentacoli, tentacoli } from './tentacoli.ts'
