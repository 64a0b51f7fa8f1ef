// The constants of SWIM and Lifeguard, each with the formula it stands in, and three presets.
// n is the number of live members, this one included; s the local health score, 0 when healthy.
// Source: memberlist's configuration; Lifeguard (arXiv:1707.00788), section IV.

export interface SwimConfig {
  /**
   * One member is probed every `probeIntervalMs · (s + 1)`, and a probe that has no answer by then has failed.
   * The first of n members notices a crash after 1.6 intervals on average, and within 3 where clocks and views agree.
   */
  readonly probeIntervalMs: number
  /** A direct ping has `probeTimeoutMs · (s + 1)` to be answered before others are asked. Choose the 99th percentile of the round trip. */
  readonly probeTimeoutMs: number
  /** k: how many members are asked to ping one that did not answer. Each sends a nack after `0.8 · (probeIntervalMs - probeTimeoutMs)`. */
  readonly indirectProbes: number
  /** The local health score s stays below this: timeouts grow at most `awarenessMax`-fold. 1 turns LHA-Probe off. */
  readonly awarenessMax: number
  /** A timer that fires later than this says that our own process stood still, and may have missed what it waited for. `probeTimeoutMs`; Infinity turns it off. */
  readonly stallMs: number

  /** A suspect has at least `suspicionMultiplier · max(1, log10 n) · probeIntervalMs` to refute; `suspicionMultiplier - 2` independent accusers get it there. */
  readonly suspicionMultiplier: number
  /** A suspect with one accuser has `suspicionMaxMultiplier` times the least time (where there are enough members to accuse it). 1 turns LHA-Suspicion off. */
  readonly suspicionMaxMultiplier: number
  /** Whether a suspect is told that it is one with each ping and ack that it gets (Lifeguard's buddy system), and not only by rumour. */
  readonly buddySystem: boolean

  /** λ: a rumour is sent `λ · ⌈log10(n + 1)⌉` times by each member that has heard it. */
  readonly retransmitMultiplier: number
  /** Rumours that wait are sent every `gossipIntervalMs` ... */
  readonly gossipIntervalMs: number
  /** ... but for the first half of their sendings, or while many wait, as soon as the last round is `gossipGapMs` ago. So `gossipFanout / gossipGapMs` bounds the packets. */
  readonly gossipGapMs: number
  /** How many random members a round of gossip goes to. */
  readonly gossipFanout: number
  /** For this long a dead member still gets gossip, so that it can refute. */
  readonly gossipToDeadMs: number

  /** Push-pull with a random member every `syncIntervalMs · max(1, ⌈log2 n⌉ - 4)`, unless an ack has shown within that time that another member agrees. */
  readonly syncIntervalMs: number
  /** Push-pull with a member whose view differs although no rumour waits here: at most once in this time. */
  readonly syncGapMs: number
  /** A push-pull that takes longer has failed. */
  readonly syncTimeoutMs: number
  /** Every `rejoinIntervalMs`, with probability `dead / n`, push-pull with a random dead member: so partitions heal. */
  readonly rejoinIntervalMs: number
  /** A dead or left member is forgotten after this. */
  readonly deadMemoryMs: number
  /** Dead and left members that are remembered. One more, and the longest gone is forgotten. */
  readonly deadMax: number
  /** All members that are remembered, dead ones included. New ones above it are ignored (`counters.membersRefused`). */
  readonly membersMax: number

  /** Pings under way, for ourselves and for others. Above it, requests to ping for others are dropped (`counters.relaysRefused`). */
  readonly pingsMax: number
  /** A member whose host refused a connection has `hintTimeoutMs · (s + 1)` to answer each of `hintTries` pings, then it is dead. */
  readonly hintTimeoutMs: number
  readonly hintTries: number
  /** Leaving settles after this, whether or not the rumour was sent often enough. */
  readonly leaveTimeoutMs: number
}

/** Members in one network. A crash is noticed in about 1.6 s; the verdict takes 4 s more (3 members) or 6.8 s (50). */
const lan: SwimConfig = {
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  indirectProbes: 3,
  awarenessMax: 8,
  stallMs: 500,
  suspicionMultiplier: 4,
  suspicionMaxMultiplier: 6,
  buddySystem: true,
  retransmitMultiplier: 4,
  gossipIntervalMs: 200,
  gossipGapMs: 20,
  gossipFanout: 3,
  gossipToDeadMs: 30_000,
  syncIntervalMs: 30_000,
  syncGapMs: 2000,
  syncTimeoutMs: 10_000,
  rejoinIntervalMs: 5000,
  deadMemoryMs: 24 * 3_600_000,
  deadMax: 1000,
  membersMax: 10_000,
  pingsMax: 4096,
  hintTimeoutMs: 50,
  hintTries: 2,
  leaveTimeoutMs: 2000
}

/** All members on one machine: as `lan`, five times as fast, and a little more patient with a process that does not get the processor. */
const local: SwimConfig = {
  ...lan,
  probeIntervalMs: 200,
  probeTimeoutMs: 100,
  stallMs: 100,
  suspicionMultiplier: 5,
  gossipIntervalMs: 100,
  gossipGapMs: 10,
  gossipToDeadMs: 15_000,
  syncIntervalMs: 15_000,
  syncGapMs: 500,
  syncTimeoutMs: 2000,
  rejoinIntervalMs: 2000,
  deadMemoryMs: 3_600_000,
  leaveTimeoutMs: 1000
}

/** Members far apart: round trips of up to two seconds. */
const wan: SwimConfig = {
  ...lan,
  probeIntervalMs: 5000,
  probeTimeoutMs: 3000,
  stallMs: 3000,
  suspicionMultiplier: 6,
  gossipIntervalMs: 500,
  gossipGapMs: 100,
  gossipFanout: 4,
  gossipToDeadMs: 60_000,
  syncIntervalMs: 60_000,
  syncGapMs: 10_000,
  syncTimeoutMs: 30_000,
  rejoinIntervalMs: 15_000,
  hintTimeoutMs: 1000,
  leaveTimeoutMs: 5000
}

export const swimPresets = { local, lan, wan } as const

export type SwimPreset = keyof typeof swimPresets

/** The longest packet that is sent or taken, sealed: fits an Ethernet frame with room for tunnels. */
export const PACKET_BYTES_MAX = 1400
