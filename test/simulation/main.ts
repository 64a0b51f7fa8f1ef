// npm run simulate -- [broker | sessions | upring | kv] [--seeds N] [--first SEED] [--busy MS] [--faults crash,leave,...]
//                     [--verbose] [--log]
// Runs many seeded lives of a cluster, of its brokers by default, and says which broke a guarantee: see lives.ts.
//
// npm run simulate -- swim [--members 10,100,1000] [--seed N] [--quick] [--output PATH]
// The study of membership at scale: see swim/program.ts.
import { KINDS, runLives } from './lives.ts'
import { runSwimStudy } from './swim/program.ts'

const args = process.argv.slice(2)
const command = args[0] === undefined || args[0].startsWith('-') ? 'broker' : args.shift()!
if (command === 'swim') process.exitCode = await runSwimStudy(args)
else if (Object.hasOwn(KINDS, command)) process.exitCode = await runLives(command, args)
else {
  process.stderr.write(`${command}: there are ${Object.keys(KINDS).join(', ')} and swim\n`)
  process.exitCode = 2
}
