// What a broker's processes used: CPU time of all their threads and children, and resident memory,
// from /proc. On a system without /proc nothing is reported.
// Source: proc(5), /proc/[pid]/stat fields 4 (ppid), 14 (utime), 15 (stime), 16, 17 (waited-for children).
import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts CPU time for user space in hundredths of a second on every architecture. */
const TICK_US = 10_000

export interface Usage {
  userUs: number
  systemUs: number
  rssKib: number
  /** Processes counted. 0 when none lives (any more). */
  processes: number
}

interface Stat {
  parent: number
  userUs: number
  systemUs: number
}

function readStat(pid: number): Stat | undefined {
  try {
    // The command's name stands in parentheses and may hold anything, so read on after the last one.
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = (field: number) => Number(fields[field - 3]) * TICK_US
    return { parent: Number(fields[1]), userUs: ticks(14) + ticks(16), systemUs: ticks(15) + ticks(17) }
  } catch {
    return undefined
  }
}

function readRssKib(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** What each process of `pids` and its living descendants have used so far, and hold now. */
export function usageOf(pids: readonly number[]): Usage[] {
  const stats = pids.length === 0 ? new Map<number, Stat>() : readAll()
  return pids.map(pid => {
    const usage: Usage = { userUs: 0, systemUs: 0, rssKib: 0, processes: 0 }
    for (const [id, stat] of stats) {
      if (!descends(stats, id, pid)) continue
      usage.userUs += stat.userUs
      usage.systemUs += stat.systemUs
      usage.rssKib += readRssKib(id)
      usage.processes += 1
    }
    return usage
  })
}

function readAll(): Map<number, Stat> {
  const stats = new Map<number, Stat>()
  try {
    for (const name of readdirSync('/proc')) {
      const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined
      if (stat !== undefined) stats.set(Number(name), stat)
    }
  } catch {
    // No /proc: an empty answer.
  }
  return stats
}

function descends(stats: ReadonlyMap<number, Stat>, id: number, ancestor: number): boolean {
  for (let at = id, depth = 0; depth < 64; depth++) {
    if (at === ancestor) return true
    const stat = stats.get(at)
    if (stat === undefined || stat.parent === 0) return false
    at = stat.parent
  }
  return false
}

/** CPU time that all processes of the machine, and its hypervisor's other guests, have taken so far; NaN without /proc. */
export function machineCpuUs(): number {
  try {
    const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1')
      .slice(0, 256)
      .split(/\s+/)
      .map(Number)
    return (user! + nice! + system! + irq! + softirq! + steal!) * TICK_US
  } catch {
    return Number.NaN
  }
}
