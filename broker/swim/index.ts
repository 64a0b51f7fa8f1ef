// Membership: SWIM with Lifeguard. See swim.ts.
export { PACKET_BYTES_MAX, type SwimConfig, type SwimPreset, swimPresets } from './config.ts'
export type { SwimTransport } from './context.ts'
export type { SwimCounters } from './counters.ts'
export type { Evidence } from './detector.ts'
export { type Change, type Member, type MemberState, parseId } from './member.ts'
export { META_BYTES_MAX, type Meta } from './meta.ts'
export type { Seal } from './seal.ts'
export { Swim, type SwimOptions } from './swim.ts'
