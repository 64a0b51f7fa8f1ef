// What the broker takes from the outside world. The real implementation is node.ts, which only those import
// who start a process; the simulated one is in test/simulation.
export type { Clock, Timer } from './clock.ts'
export { type Log, silentLog } from './log.ts'
export type { Address, DatagramSocket, Listener, Network } from './network.ts'
export type { Random } from './random.ts'
export type { Runtime } from './runtime.ts'
export { TlsCredentials, type TlsMaterial } from './tls-credentials.ts'
