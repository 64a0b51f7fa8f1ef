// Nodes of a ring in this process, with what stands behind `aedesOnRing` open to tests.
import { type Broker, createBroker } from '../../../broker/broker.ts'
import { silentLog } from '../../../broker/runtime/log.ts'
import { nodeRuntime } from '../../../broker/runtime/node.ts'
import { AedesNode } from '../../../gateway/aedes/node.ts'
import { RingPersistence } from '../../../gateway/aedes/persistence.ts'
import type { TableLimits } from '../../../gateway/aedes/table.ts'
import type { Scope } from '../../support/process.ts'

export interface Member {
  readonly broker: Broker
  readonly node: AedesNode
  readonly persistence: RingPersistence
}

const LIMITS: TableLimits = { itemsMax: 100_000, subscriptionsMax: 100, queueMax: 1000, sessionBytesMax: 1e6 }

export async function startMember(
  scope: Scope,
  base: readonly string[],
  limits: Partial<TableLimits> = {}
): Promise<Member> {
  const broker = createBroker(
    { name: 'aedes', clusterPort: 0, preset: 'local', base: [...base] },
    nodeRuntime({ log: silentLog })
  )
  const node = new AedesNode(broker, { ...LIMITS, ...limits })
  const { upring, clock } = broker
  const persistence = new RingPersistence({ upring, clock, node, operationsMax: 10_000 })
  scope.after(() => broker.close())
  await broker.start()
  return { broker, node, persistence }
}

export async function startRing(scope: Scope, count: number): Promise<Member[]> {
  const members: Member[] = []
  while (members.length < count)
    members.push(
      await startMember(
        scope,
        members.slice(0, 1).map(({ broker }) => broker.id)
      )
    )
  return members
}

/** Forgets all that is stored, at all nodes. */
export function wipe(members: readonly Member[]): void {
  for (const { node } of members) for (const item of [...node.table.items.values()]) node.table.remove(item)
}
