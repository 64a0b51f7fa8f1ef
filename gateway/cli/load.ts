// `shoal load`: the load tool, in a process of its own. It has its own options and exit codes, so all is
// handed on as it was given.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Arguments, Command } from './command.ts'
import { Failure } from './failure.ts'
import { StopSignals } from './signals.ts'

const MAIN = fileURLToPath(new URL('../../load/main.js', import.meta.url))
/** The tool could not run. */
const FAILED = 3

export const load: Command = {
  name: 'load',
  summary: 'Measures a broker under load, and checks that every message arrives.',
  positionals: ['<scenario>'],
  options: {},
  letters: {},
  examples: [
    'shoal load                        lists scenarios and options',
    'shoal load pairs --duration 5',
    'shoal load fan-out --qos 1 --html report.html',
    'shoal load compare --brokers shoal,mosquitto'
  ],
  outlivesOutput: false,
  passesOn: true,
  hidden: false,
  async run({ positionals }: Arguments): Promise<number> {
    const child = spawn(process.execPath, [...process.execArgv, MAIN, ...positionals], { stdio: 'inherit' })
    const signals = new StopSignals(
      process,
      () => performance.now(),
      () => child.kill('SIGKILL')
    )
    void signals.first.then(signal => child.kill(signal))
    return await exitOf(child)
  }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', cause => reject(new Failure('The load tool could not be started.', FAILED, cause)))
    child.once('exit', code => resolve(code ?? FAILED))
  })
}
