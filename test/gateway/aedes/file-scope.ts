// What lives as long as the tests of a file: `after` itself, called in a hook, would end with the hook.
import { after } from 'node:test'
import type { Scope } from '../../support/process.ts'

/** Call it at the top of a file. */
export function fileScope(): Scope {
  const ends: (() => void | Promise<void>)[] = []
  after(async () => {
    for (const end of ends.reverse()) await end()
  })
  return { after: run => void ends.push(run) }
}
