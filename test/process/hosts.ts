// Hosts of their own on one machine: a network namespace for each, and one for the switch between them, which has
// two segments to part them with. Lines are made slow and lossy by tc. Nothing outside these namespaces is touched.
//
//   host 1  eth0 ──── port1 ┐
//   host 2  eth0 ──── port2 ┼─ segment0      (the switch; a port that is moved to segment1 is cut from the others)
//   host 3  eth0 ──── port3 ┘  segment1
import { execFileSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import type { Scope } from '../support/process.ts'
import { NEEDS, requireTool } from '../support/tools.ts'
import { withLifetime } from './lifetime.ts'

const NETWORK = '10.79.0'
/** How often a line that stands in for a lossy one is interrupted. */
const PULSE_MS = 100

let made = 0

export class Hosts {
  readonly addresses: readonly string[]
  readonly #switch: string
  readonly #names: readonly string[]
  readonly #interrupted = new Set<number>()
  #pulse: NodeJS.Timeout | null = null

  private constructor(prefix: string, count: number) {
    this.#switch = `${prefix}-switch`
    this.#names = Array.from({ length: count }, (_, i) => `${prefix}-${i + 1}`)
    this.addresses = this.#names.map((_, i) => `${NETWORK}.${i + 1}`)
  }

  /** Hosts that are gone when the scope ends, also when this process ends before it. */
  static make(scope: Scope, count: number): Hosts {
    const hosts = new Hosts(`shoal-${process.pid}-${++made}`, count)
    const remove = (): void => hosts.#remove()
    process.on('exit', remove)
    scope.after(() => {
      process.off('exit', remove)
      remove()
    })
    hosts.#build()
    return hosts
  }

  /** A program and its arguments, as they are run on a host. */
  command(host: number, program: string, args: readonly string[]): [program: string, args: string[]] {
    return ['ip', ['netns', 'exec', this.#names[host]!, program, ...args]]
  }

  /** Moves these hosts to the other segment: they reach each other, and none of the rest. */
  part(hosts: readonly number[]): void {
    for (const host of hosts) this.#plug(host, 1)
  }

  /** All reach all, at once and without loss. */
  heal(): void {
    this.#stopPulse()
    this.#names.forEach((_, host) => {
      this.#plug(host, 0)
      // Fails where there is none.
      quietly(() => this.#tc(['delete', 'dev', port(host), 'root']))
    })
  }

  /**
   * Makes the way to a host slow and lossy: by netem, or, where the kernel has none, by what stands in for it: a line of so
   * little room that packets wait in it or are dropped (a token bucket), and that is interrupted ten times a second.
   */
  impair(host: number, delayMs: number, lossPercent: number): 'netem' | 'tbf' {
    const add = ['add', 'dev', port(host), 'root']
    try {
      this.#tc([...add, 'netem', 'delay', `${delayMs}ms`, 'loss', `${lossPercent}%`])
      return 'netem'
    } catch {
      this.#tc([...add, 'tbf', 'rate', '512kbit', 'burst', '1600', 'latency', `${delayMs}ms`])
    }
    this.#interrupted.add(host)
    this.#pulse ??= setInterval(() => {
      for (const each of this.#interrupted) {
        this.#plug(each, 1)
        this.#plug(each, 0)
      }
    }, PULSE_MS)
    return 'tbf'
  }

  #build(): void {
    ip(['netns', 'add', this.#switch])
    for (const segment of [0, 1]) {
      ip(['-n', this.#switch, 'link', 'add', `segment${segment}`, 'type', 'bridge', 'forward_delay', '0'])
      ip(['-n', this.#switch, 'link', 'set', `segment${segment}`, 'up'])
    }
    this.#names.forEach((name, host) => {
      ip(['netns', 'add', name])
      ip(['-n', name, 'link', 'set', 'lo', 'up'])
      ip([
        '-n',
        this.#switch,
        'link',
        'add',
        port(host),
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        name
      ])
      ip(['-n', name, 'address', 'add', `${this.addresses[host]!}/24`, 'dev', 'eth0'])
      ip(['-n', name, 'link', 'set', 'eth0', 'up'])
      ip(['-n', this.#switch, 'link', 'set', port(host), 'up'])
      this.#plug(host, 0)
    })
  }

  #plug(host: number, segment: 0 | 1): void {
    ip(['-n', this.#switch, 'link', 'set', port(host), 'master', `segment${segment}`])
  }

  #tc(args: readonly string[]): void {
    ip(['netns', 'exec', this.#switch, 'tc', 'qdisc', ...args])
  }

  #stopPulse(): void {
    if (this.#pulse !== null) clearInterval(this.#pulse)
    this.#pulse = null
    this.#interrupted.clear()
  }

  #remove(): void {
    this.#stopPulse()
    for (const name of [this.#switch, ...this.#names]) quietly(() => ip(['netns', 'delete', name]))
  }
}

/** Whether hosts can be made here. Skips the test if not, saying what is missing; the caller then returns. */
export async function requireHosts(t: TestContext): Promise<boolean> {
  if (!requireTool(t, 'ip') || !requireTool(t, 'tc')) return false
  try {
    await withLifetime(async scope => Hosts.make(scope, 1))
    return true
  } catch (error) {
    t.skip(
      `${NEEDS}network namespaces, so root's rights: ${(error as Error).message.trim().split('\n').pop()}`
    )
    return false
  }
}

function port(host: number): string {
  return `port${host + 1}`
}

/** Throws with what `ip` said. */
function ip(args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function quietly(run: () => void): void {
  try {
    run()
  } catch {
    // There was nothing to undo.
  }
}
