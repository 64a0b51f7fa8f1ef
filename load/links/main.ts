// `node dist/load/links/main.js`: how many requests a second, and bytes, two processes exchange over one connection,
// and at what CPU time of both: Shoal's link beside others. Contenders take turns, round by round, so that
// whatever else the machine does falls on all of them; medians count.
import { type ChildProcess, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from '../machine.ts'
import { usageOf } from '../processes.ts'
import { CONTENDERS, type ContenderName, isContender } from './contenders.ts'
import type { EndMessage } from './end.ts'
import { type Figures, linksMarkdown, type Measured } from './report.ts'

const program = fileURLToPath(new URL('./end.js', import.meta.url))

export type Task = 'requests' | 'bytes'

/** The next message of a kind; rejects when the process ends before. */
function message<K extends EndMessage['kind']>(
  child: ChildProcess,
  kind: K
): Promise<EndMessage & { kind: K }> {
  return new Promise((resolve, reject) => {
    const heard = (each: unknown): void => {
      if ((each as EndMessage).kind !== kind) return
      child.off('message', heard).off('exit', gone)
      resolve(each as EndMessage & { kind: K })
    }
    const gone = (code: number | null): void =>
      reject(new Error(`a process ended (${code}) before it was done`))
    child.on('message', heard).on('exit', gone)
  })
}

async function measure(name: ContenderName, task: Task, seconds: number, inflight: number): Promise<Figures> {
  const server = fork(program, ['serve', name])
  let client: ChildProcess | null = null
  try {
    const { port } = await message(server, 'listening')
    client = fork(program, [task, name, String(port), String(seconds), String(inflight)])
    const pids = [server.pid!, client.pid!]
    const ended = message(client, 'ended')
    await message(client, 'begun')
    const before = usageOf(pids)
    const { count, seconds: took } = await ended
    const after = usageOf(pids)
    const cpuUs = (i: number): number => {
      const [from, to] = [before[i]!, after[i]!]
      return to.userUs + to.systemUs - from.userUs - from.systemUs
    }
    return { perSecond: count / took, serverUs: cpuUs(0) / count, clientUs: cpuUs(1) / count }
  } finally {
    server.kill('SIGKILL')
    client?.kill('SIGKILL')
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1]!
}

function medians(rounds: readonly Figures[]): Figures {
  const of = (name: keyof Figures): number => median(rounds.map(round => round[name]))
  return { perSecond: of('perSecond'), serverUs: of('serverUs'), clientUs: of('clientUs') }
}

/** Measures, prints, and returns the exit code: 2 for contenders that there are not. */
export async function linksMain(
  args: readonly string[],
  out: Pick<NodeJS.WriteStream, 'write'> = process.stdout
): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '5' },
      inflight: { type: 'string', default: '100' },
      only: { type: 'string', default: Object.keys(CONTENDERS).join(',') },
      markdown: { type: 'string' }
    }
  })
  const names = values.only.split(',')
  if (!names.every(isContender)) {
    process.stderr.write(`--only takes some of ${Object.keys(CONTENDERS).join(',')}\n`)
    return 2
  }
  const [seconds, rounds, inflight] = [Number(values.seconds), Number(values.rounds), Number(values.inflight)]
  const measured: Measured[] = []
  for (const task of ['requests', 'bytes'] as const) {
    const byName = new Map<ContenderName, Figures[]>(names.map(name => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        const figures = await measure(name, task, seconds, inflight)
        byName.get(name)!.push(figures)
      }
    }
    for (const [name, found] of byName) measured.push({ name, task, ...medians(found) })
  }
  const text = linksMarkdown(measured, {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    command: ['node dist/load/links/main.js', ...args].join(' '),
    inflight,
    rounds,
    seconds
  })
  out.write(text)
  if (values.markdown !== undefined) writeFileSync(values.markdown, text)
  return 0
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await linksMain(process.argv.slice(2))
