// A member of the cluster as a node believes it to be, and the order in which news of it wins.
// That order is total: members that have heard the same news, in whatever order, believe the same.
// Source: SWIM (DSN 2002), section 4.2. The instance, which tells a restarted process from the old one, is ours.
import type { Address } from '../runtime/network.ts'
import type { Meta } from './meta.ts'

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left'

/** Never changed: a change makes a new object. */
export interface Member {
  /** `host:port` of its cluster address; IPv6 hosts in brackets. */
  readonly id: string
  /** 16 hexadecimal digits, new at each start of the process. */
  readonly instance: string
  readonly host: string
  readonly port: number
  readonly meta: Readonly<Meta>
  /** Raised by the member alone. Rises across its instances too. */
  readonly incarnation: number
  readonly state: MemberState
}

/** What one member says of another (or of itself): `accuser` is who says so of a suspect or dead one, else ''. */
export interface News extends Member {
  readonly accuser: string
}

/**
 * What happened to a member. `refuted`: a suspect proved to be alive. `restarted`: its id has a new instance; the old one
 * is dead. A dead member that comes back has `joined`.
 */
export type Change = 'joined' | 'updated' | 'suspected' | 'refuted' | 'died' | 'left' | 'restarted'

/** Incarnations start at the wall clock's milliseconds, so that a new process outbids the one before it. 48 bits. */
export const INCARNATION_MAX = 2 ** 48 - 1
export const ID_BYTES_MAX = 255

const rank: Record<MemberState, number> = { alive: 0, suspect: 1, dead: 2, left: 3 }

/** Whether `news` replaces what is `held`: by incarnation, then instance, then alive < suspect < dead < left. */
export function supersedes(news: Member, held: Member): boolean {
  if (news.incarnation !== held.incarnation) return news.incarnation > held.incarnation
  if (news.instance !== held.instance) return news.instance > held.instance
  return rank[news.state] > rank[held.state]
}

/** Takes part: is counted, probed and told. */
export function isLive(member: Member): boolean {
  return member.state === 'alive' || member.state === 'suspect'
}

/** Ids come again with every packet. */
const addresses = new Map<string, Address>()
/** All are forgotten when there would be more. */
const ADDRESSES_MAX = 16_384

/** The address in an id; null if it is none: printable ASCII, at most 255 bytes, port 1..65535. */
export function parseId(id: string): Readonly<Address> | null {
  const known = addresses.get(id)
  if (known !== undefined) return known
  const match =
    id.length <= ID_BYTES_MAX ? /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([!-9;-~]+)):([1-9][0-9]{0,4})$/.exec(id) : null
  if (match === null) return null
  const port = Number(match[3])
  if (port > 65_535) return null
  const address = Object.freeze({ host: match[1] ?? match[2]!, port })
  if (addresses.size >= ADDRESSES_MAX) addresses.clear()
  addresses.set(id, address)
  return address
}

/** What happened, in the order to be told, when `held` (null: never heard of) became `now`. */
export function changesBetween(held: Member | null, now: Member): Change[] {
  const wasLive = held !== null && isLive(held)
  if (!isLive(now)) return wasLive ? [now.state === 'left' ? 'left' : 'died'] : []
  const changes: Change[] = []
  if (!wasLive) changes.push('joined')
  else if (held.instance !== now.instance) changes.push('restarted')
  const fresh = changes.length > 0
  if (now.state === 'suspect' && (fresh || held?.state !== 'suspect')) changes.push('suspected')
  if (!fresh && now.state === 'alive' && held?.state === 'suspect') changes.push('refuted')
  if (!fresh && held !== null && held.meta !== now.meta) changes.push('updated')
  return changes
}
