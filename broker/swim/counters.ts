// What one member's SWIM has done since its start. Plain integers, incremented in place.

export class SwimCounters {
  packetsIn = 0
  packetsOut = 0
  bytesIn = 0
  bytesOut = 0
  /** Packets and states that were not valid, and were ignored whole. */
  packetsInvalid = 0
  /** Sealed packets that came again, or so late that they might. */
  packetsReplayed = 0
  /** Sealed packets for another process: redirected, or for the one that was here before. Only its pings are answered. */
  packetsStray = 0
  probes = 0
  /** Probes that had no answer by ping, and went through others and the stream. */
  probesIndirect = 0
  /** Probes that only the stream could answer: UDP does not get through. */
  probesByStream = 0
  probesFailed = 0
  /** Pings sent because another member asked for it. */
  relays = 0
  relaysRefused = 0
  /** Deadlines that were noticed so late that our own process must have stood still. */
  stalls = 0
  suspicions = 0
  deaths = 0
  /** Times we contradicted what others said of us. */
  refutations = 0
  syncs = 0
  syncsFailed = 0
  /** Push-pulls that were due, but not needed: another member had just been seen to agree. */
  syncsSpared = 0
  rejoins = 0
  rumoursDropped = 0
  membersRefused = 0
}
