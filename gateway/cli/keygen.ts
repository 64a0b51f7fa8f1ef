// `shoal keygen`: a new key for a cluster, from the system's random numbers.
import { randomBytes } from 'node:crypto'
import { KEY_BYTES } from '../../broker/cluster-keys.ts'
import type { Command, Terminal } from './command.ts'

export const keygen: Command = {
  name: 'keygen',
  summary: 'Prints a new key, for --cluster-key-file of every node of a cluster.',
  positionals: [],
  options: {},
  letters: {},
  examples: ['(umask 077; shoal keygen > cluster.key)', 'shoal start --cluster-key-file cluster.key'],
  outlivesOutput: false,
  hidden: false,
  run: async (_given, terminal: Terminal) => {
    terminal.out(randomBytes(KEY_BYTES).toString('base64'))
    return 0
  }
}
