// What is done to a cluster under load, and when it is over.
import assert from 'node:assert/strict'
import { eventually } from '../support/eventually.ts'
import type { Scope } from '../support/process.ts'
import { agreed, NodeProcess } from './nodes.ts'

/** A, B and C live on, and have all the clients; D only owns topics. */
export interface Cluster {
  readonly scope: Scope
  readonly survivors: readonly NodeProcess[]
  readonly victim: NodeProcess
  /** Arguments of every node. */
  readonly args: readonly string[]
}

export interface Fault {
  readonly title: string
  /** Settles when the cluster is whole again, or as whole as it gets. */
  happen(cluster: Cluster): Promise<void>
}

export type FaultName = 'none' | 'kill' | 'pause' | 'stop' | 'join'

/** The `lan` preset takes 6 s to give a verdict; a loaded machine is slower. */
const VERDICT_MS = 30_000

export const FAULTS: Readonly<Record<FaultName, Fault>> = {
  none: {
    title: 'nothing happens',
    async happen({ survivors, victim }) {
      await agreed([...survivors, victim])
    }
  },
  kill: {
    title: 'an owner is killed (kill -9)',
    async happen({ survivors, victim }) {
      await victim.kill()
      await agreed(survivors)
    }
  },
  pause: {
    title: 'an owner is paused (SIGSTOP) until it is declared dead, and comes back (SIGCONT)',
    async happen({ survivors, victim }) {
      victim.pause()
      for (const node of survivors) {
        await eventually(
          `${node.name} holds ${victim.name} for dead`,
          async () =>
            (await node.member(victim.id))?.state !== 'alive' && (await node.status()).ring.nodes === 3,
          { withinMs: VERDICT_MS }
        )
      }
      await agreed(survivors)
      victim.resume()
      await agreed([...survivors, victim])
    }
  },
  stop: {
    title: 'an owner is stopped (SIGTERM)',
    async happen({ survivors, victim }) {
      assert.equal(await victim.stop(), 0, 'the exit code of a graceful stop')
      await agreed(survivors)
    }
  },
  join: {
    title: 'a node joins',
    async happen({ scope, survivors, victim, args }) {
      const joined = await NodeProcess.start(scope, 'E', { base: survivors[0]!, args })
      await agreed([...survivors, victim, joined])
    }
  }
}
