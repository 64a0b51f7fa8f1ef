// Tries statements on a target, several at once, and says what came of each.
// Each has clients, ids and topics of its own, so that they do not meet.
import { randomBytes } from 'node:crypto'
import { Client } from './client.ts'
import { openLink } from './link.ts'
import type { ConnectFields } from './packets.ts'
import type { Statement, Trial } from './statement.ts'
import type { Suite } from './suites.ts'

const AT_ONCE = 12

/** Where a suite is run. Several addresses are nodes of a cluster: a test's clients go from one to the next. */
export interface Target {
  readonly name: string
  readonly urls: readonly string[]
}

export type Outcome = 'kept' | 'broken' | 'untestable' | 'not applicable'

export interface Result {
  readonly statement: Statement
  readonly outcome: Outcome
  /** Of one that is broken. */
  readonly error?: Error
}

/** The results in the order of the statements. */
export async function runSuite({ statements }: Suite, target: Target): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < statements.length) {
      const index = next++
      results[index] = await tryStatement(statements[index]!, target)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

async function tryStatement(statement: Statement, target: Target): Promise<Result> {
  const { proof, webSocketOnly } = statement
  if (typeof proof === 'string') return { statement, outcome: 'untestable' }
  if (webSocketOnly === true && !target.urls[0]!.startsWith('ws:'))
    return { statement, outcome: 'not applicable' }
  const trial = new RunningTrial(target)
  try {
    await proof(trial)
    return { statement, outcome: 'kept' }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    return { statement, outcome: 'broken', error }
  } finally {
    trial.end()
  }
}

class RunningTrial implements Trial {
  readonly #target: Target
  readonly #name = randomBytes(5).toString('hex')
  readonly #clients: Client[] = []
  #next = 0
  #named = 0

  constructor(target: Target) {
    this.#target = target
  }

  async open(): Promise<Client> {
    const client = new Client(await openLink(this.url()))
    this.#clients.push(client)
    return client
  }

  async connect(fields: ConnectFields = {}): Promise<Client> {
    const client = await this.open()
    await client.connect({ id: this.id(), ...fields })
    return client
  }

  topic(): string {
    return `topic${this.#name}${++this.#named}`
  }

  id(): string {
    return `id${this.#name}${++this.#named}`
  }

  url(): string {
    const { urls } = this.#target
    return urls[this.#next++ % urls.length]!
  }

  end(): void {
    for (const client of this.#clients) client.drop()
  }
}
