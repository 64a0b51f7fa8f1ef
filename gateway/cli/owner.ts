// `shoal owner <topic>`: which node orders and retains the messages of a topic.
import { resolve } from '../../broker/options/index.ts'
import type { Arguments, Command, Terminal } from './command.ts'
import { Failure } from './failure.ts'
import { getJson, HTTP_URL_OPTION, isRecord } from './http.ts'

const OPTIONS = { url: HTTP_URL_OPTION } as const

export const owner: Command = {
  name: 'owner',
  summary: 'Prints the node that owns a topic.',
  positionals: ['<topic>'],
  options: OPTIONS,
  letters: {},
  examples: ['shoal owner hello/world'],
  outlivesOutput: false,
  hidden: false,
  async run({ flags, positionals }: Arguments, terminal: Terminal): Promise<number> {
    const { url } = resolve(OPTIONS, [flags])
    const answer = await getJson(url, `/owner?topic=${encodeURIComponent(positionals[0]!)}`)
    const id = isRecord(answer) ? answer['owner'] : undefined
    if (typeof id !== 'string') throw new Failure('No node serves yet, so no one owns the topic.')
    terminal.out(id)
    return 0
  }
}
