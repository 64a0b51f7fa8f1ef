// SWIM without Lifeguard, with each of its parts alone, and with all of them: what the options of SwimConfig say.
import { type SwimConfig, swimPresets } from '../../../broker/swim/config.ts'

const { awarenessMax, suspicionMaxMultiplier, buddySystem, stallMs } = swimPresets.lan

/** Only what the papers have: no member judges its own timers. */
const swim: SwimConfig = {
  ...swimPresets.lan,
  awarenessMax: 1,
  suspicionMaxMultiplier: 1,
  buddySystem: false,
  stallMs: Number.POSITIVE_INFINITY
}

export const PARTS: Readonly<Record<string, SwimConfig>> = {
  SWIM: swim,
  'LHA-Probe': { ...swim, awarenessMax },
  'LHA-Suspicion': { ...swim, suspicionMaxMultiplier },
  'buddy system': { ...swim, buddySystem },
  Lifeguard: { ...swim, awarenessMax, suspicionMaxMultiplier, buddySystem },
  'as shipped': { ...swim, awarenessMax, suspicionMaxMultiplier, buddySystem, stallMs }
}
