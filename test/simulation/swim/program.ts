// npm run simulate -- swim [--members 10,100,1000] [--seed N] [--quick] [--output PATH]
// The study of SWIM at scale. It takes a core a quarter of an hour, most of it for the thousand; --quick, some minutes. With
// a path, its reports go to PATH.md and PATH.html and its figures to PATH.json; else the tables go to the output.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine } from '../../../load/machine.ts'
import { aims } from './aims.ts'
import { type Circumstances, markdownReport } from './markdown.ts'
import { studyPage } from './page.ts'
import { runStudy } from './study.ts'

/** The exit code: 1 when an aim was missed. */
export async function runSwimStudy(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      members: { type: 'string', default: '10,100,1000' },
      seed: { type: 'string', default: '1' },
      quick: { type: 'boolean', default: false },
      output: { type: 'string' }
    }
  })
  const say = (line: string): boolean => process.stderr.write(`${line}\n`)
  const study = await runStudy({
    seed: Number(values.seed),
    members: values.members.split(',').map(Number),
    quick: values.quick,
    anomalies: true,
    progress: say
  })
  const circumstances: Circumstances = {
    date: new Date().toISOString().slice(0, 10),
    command: `npm run simulate -- swim --members ${values.members} --seed ${values.seed}${values.quick ? ' --quick' : ''}`,
    machine: `Node ${describeMachine().node}`
  }
  const markdown = markdownReport(study, circumstances)
  if (values.output === undefined) process.stdout.write(markdown)
  else {
    writeFileSync(`${values.output}.md`, markdown)
    writeFileSync(`${values.output}.html`, studyPage(study, circumstances))
    writeFileSync(`${values.output}.json`, `${JSON.stringify(study)}\n`)
  }
  const missed = aims(study).filter(aim => !aim.met)
  for (const { aim, measured } of missed) say(`missed: ${aim}: ${measured}`)
  return missed.length === 0 ? 0 : 1
}
