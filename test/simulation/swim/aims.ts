// What the project aims at, and whether a study meets it.
import { swimPresets } from '../../../broker/swim/config.ts'
import { count, seconds } from './figures.ts'
import type { SizeFigures, Study } from './study.ts'

export interface Aim {
  aim: string
  measured: string
  met: boolean
}

/** How much more a member of the largest cluster may send than one of the smallest: ids have more digits there. */
const FLAT_BYTES = 1.2
/** On average: no probe is sent sooner than its turn, and a crash right after it is found by the next one. */
const DETECTED_MS = 2 * swimPresets.lan.probeIntervalMs
const HEALED_MS = 30_000
const LOSS = 0.05

export function aims({ sizes }: Study): Aim[] {
  const each = (text: (figures: SizeFigures) => string): string => sizes.map(text).join('; ')
  const bytes = sizes.map(({ rest }) => rest.bytes.mean + rest.streamBytes.mean)
  const under = (loss: number) => sizes.flatMap(size => size.losses.filter(losses => losses.loss <= loss))
  const deaths = under(LOSS).reduce((sum, each) => sum + each.deaths, 0)
  const hours = under(LOSS).reduce((sum, each) => sum + each.nodeHours, 0)
  return [
    {
      aim: 'flat load a member',
      measured: each(
        ({ members, rest }) =>
          `${members}: ${count(rest.packets.mean)} packets/s, ${count(rest.bytes.mean + rest.streamBytes.mean)} B/s`
      ),
      met: bytes.at(-1)! < FLAT_BYTES * bytes[0]!
    },
    {
      aim: 'first detection within 2 probe intervals (mean)',
      measured: each(
        ({ members, crashes }) =>
          `${members}: ${seconds(crashes.suspected.mean)} s, p99 ${seconds(crashes.suspected.p99)} s`
      ),
      met: sizes.every(({ crashes }) => crashes.suspected.mean <= DETECTED_MS)
    },
    {
      aim: 'no false positive at 5 % loss',
      measured: `${deaths} in ${count(hours)} node-hours at up to 5 %, with and without pings over links`,
      met: deaths === 0
    },
    {
      aim: 'a partition heals within 30 s',
      measured: each(
        ({ members, healing }) => `${members}: ${healing.map(({ ms }) => `${seconds(ms)} s`).join(', ')}`
      ),
      met: sizes.every(({ healing }) => healing.every(({ ms }) => ms <= HEALED_MS))
    }
  ]
}
