// What the parts of one member's SWIM share.
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Random } from '../runtime/random.ts'
import type { Acks } from './acks.ts'
import type { Awareness } from './awareness.ts'
import { encodePing } from './codec.ts'
import type { SwimConfig } from './config.ts'
import type { SwimCounters } from './counters.ts'
import type { GossipQueue } from './gossip.ts'
import type { Member } from './member.ts'
import type { Membership } from './membership.ts'
import type { Packets } from './packets.ts'

/** The reliable way from member to member. */
export interface SwimTransport {
  /** Rejects if the member does not answer; may take its time. */
  ping(memberId: string): Promise<void>
  /** Sends our full state to `host:port`, and resolves with the other's. */
  pushPull(address: string, state: Uint8Array): Promise<Uint8Array>
}

export interface SwimContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly config: SwimConfig
  readonly transport: SwimTransport
  readonly awareness: Awareness
  readonly acks: Acks
  readonly gossip: GossipQueue
  readonly packets: Packets
  readonly membership: Membership
  readonly counters: SwimCounters
}

/** Pings a member. A suspect is told that it is one, so that it can refute (Lifeguard's buddy system). */
export function ping(context: SwimContext, member: Member, sequence: number): void {
  const { config, membership, packets } = context
  const sender = membership.self.id
  const message = encodePing({ sequence, target: member, sender, digest: membership.table.digest })
  const news = config.buddySystem && member.state === 'suspect' ? membership.newsOf(member.id) : null
  packets.post(member, news === null ? [message] : [message, news])
}

/**
 * Whether a timer that was due at `dueAt` fires so late that the process must have stood still. Answers may then wait
 * unread, and the fault is ours: counts it, and returns true. No one should be judged by such a timer.
 */
export function stalled(context: SwimContext, dueAt: number): boolean {
  if (context.clock.now() - dueAt <= context.config.stallMs) return false
  context.counters.stalls++
  context.awareness.add(1)
  return true
}
