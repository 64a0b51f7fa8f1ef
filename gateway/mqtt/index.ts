// The MQTT gateway. A TCP listener comes ready made; any other byte stream is a ByteTransport for
// `MqttGateway.accept`, whose Connection is fed with `onData`, `onWritable` and `onClose`.
export type { Connection } from './connection.ts'
export type { MqttCounters } from './counters.ts'
export { MqttGateway } from './gateway.ts'
export { listenMqtt, type MqttListener, type MqttListenOptions, type SharedSocket } from './listener.ts'
export { MQTT_DEFAULTS, type MqttOptions } from './options.ts'
export type { ByteTransport } from './transport.ts'
