// Where a broker does not keep a statement, as far as is known, and who is right. What is pending must fail: when it is
// kept after all, the run fails until its line is gone, so that the list only shrinks.
import type { Version } from './statement.ts'

export interface Known {
  readonly version: Version
  readonly id: string
  /** Names of targets. */
  readonly targets: readonly string[]
  readonly why: string
}

/** Not yet kept by Shoal (targets: shoal, shoal-3, shoal-ws). */
export const pending: readonly Known[] = [
  {
    version: '5.0',
    id: '3.8.3-3',
    targets: ['shoal-3', 'shoal-ws'],
    why: 'No Local holds only where the topic is owned by the node of the client: who published is not known to others.'
  }
]

/** Not kept by others: each says who is right. */
export const differences: readonly Known[] = [
  {
    version: '3.1.1',
    id: '2.2.2-2',
    targets: ['mosquitto'],
    why: 'Mosquitto 2.0.11 takes PUBACK, PUBREC and PUBCOMP with reserved flags set. Shoal, which closes, is right.'
  },
  {
    version: '3.1.1',
    id: '4.3.3-2',
    targets: ['mosquitto'],
    why:
      'Mosquitto 2.0.11 closes the connection when an unreleased PUBLISH of QoS 2 comes for the third time. Shoal, which ' +
      'answers each with PUBREC, is right.'
  },
  {
    version: '3.1.1',
    id: '4.8.0-1',
    targets: ['mosquitto'],
    why:
      'Mosquitto 2.0.11 takes SUBACK and UNSUBACK from clients, as its bridges need. Shoal, which closes, is right: ' +
      'table 2.1 has them from servers alone.'
  },
  {
    version: '5.0',
    id: '3.8.3-4',
    targets: ['mosquitto'],
    why: 'Mosquitto 2.0.11 grants a shared subscription with No Local. Shoal, which closes, is right.'
  }
]

export const known: readonly Known[] = [...pending, ...differences]

export function knownOf(version: Version, id: string, target: string): Known | null {
  const isIt = (each: Known): boolean =>
    each.version === version && each.id === id && each.targets.includes(target)
  return known.find(isIt) ?? null
}
