// `shoal/swim`: membership alone. Who is in the cluster, told within seconds, at a cost for each member that does not grow
// with the cluster. Swim itself has no sockets and no clock: this is how a program gives it the machine's.
//
//     import { nodeRuntime, StreamTransport, Swim, swimPresets } from 'shoal/swim'
//
//     const at = { host: '127.0.0.1', port: 7979 }
//     const runtime = nodeRuntime()
//     const transport = new StreamTransport(runtime)
//     const socket = await runtime.network.datagram(at, (packet, from) => swim.receive(packet, from))
//     await runtime.network.listen(at, stream => transport.answer(stream, state => swim.receivePushPull(state)))
//     const swim = new Swim({
//       id: `${at.host}:${at.port}`,
//       instance: randomBytes(8).toString('hex'),           // new at each start
//       meta: { zone: 'a' },                                // what this member says of itself
//       runtime,
//       send: (packet, to) => socket.send(packet, to),
//       transport,
//       config: swimPresets.lan,                            // or `local`, `wan`, or your own
//       onChange: (member, change) => console.log(member.id, change)
//     })
//     swim.start()
//     await swim.join(['127.0.0.1:7980'])                    // later: await swim.leave(); swim.stop()
//
// Beyond loopback, seal what is sent: `seal` and `stateSeal` of a KeyedSeal each, with the same ClusterKeys on all members.
export { ClusterKeys } from '../cluster-keys.ts'
export { ShoalError } from '../errors.ts'
export type { Clock, Timer } from '../runtime/clock.ts'
export type { Log } from '../runtime/log.ts'
export type { Address, DatagramSocket, Listener, Network, NetworkStream } from '../runtime/network.ts'
export { nodeRuntime } from '../runtime/node.ts'
export type { Random } from '../runtime/random.ts'
export type { Runtime } from '../runtime/runtime.ts'
export * from './index.ts'
export { StreamTransport } from './stream-transport.ts'
