// One of the two processes of a measurement. `node end.js serve <contender>` listens and tells the port;
// `node end.js requests|bytes <contender> <port> <seconds> <inflight>` connects, warms up, tells when it
// begins and when it ends, and what it has counted between.
import type { Caller } from './contender.ts'
import { QUESTION } from './contender.ts'
import { CONTENDERS, isContender } from './contenders.ts'

/** What the processes tell the one that measures. */
export type EndMessage =
  | { kind: 'listening'; port: number }
  | { kind: 'begun' }
  | { kind: 'ended'; count: number; seconds: number }

const WARM_UP_SECONDS_MAX = 1

/** More than is ever asked for in the time there is. */
const BYTES_WITHOUT_END = 2 ** 50

function tell(message: EndMessage): void {
  process.send!(message)
}

/** Keeps `inflight` questions open; counts answers. */
function countAnswers(caller: Caller, inflight: number): () => number {
  let answers = 0
  const ask = (): void => caller.ask(QUESTION, answered)
  const answered = (error: Error | null, answer: unknown): void => {
    if (error !== null) throw error
    if ((answer as typeof QUESTION).key !== QUESTION.key) throw new Error('not the answer')
    answers++
    ask()
  }
  for (let i = 0; i < inflight; i++) ask()
  return () => answers
}

async function countBytes(caller: Caller): Promise<() => number> {
  let bytes = 0
  const stream = await caller.download(BYTES_WITHOUT_END)
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  return () => bytes
}

async function measure(count: () => number, seconds: number): Promise<void> {
  const after = (delay: number) => new Promise(resolve => setTimeout(resolve, delay * 1000))
  await after(Math.min(seconds, WARM_UP_SECONDS_MAX))
  tell({ kind: 'begun' })
  const [before, start] = [count(), performance.now()]
  await after(seconds)
  tell({ kind: 'ended', count: count() - before, seconds: (performance.now() - start) / 1000 })
}

const [role, name, port, seconds, inflight] = process.argv.slice(2) as [string, string, ...string[]]
if (!isContender(name)) throw new Error(`no contender ${name}`)
const contender = await CONTENDERS[name].load()
process.on('disconnect', () => process.exit(0))
if (role === 'serve') tell({ kind: 'listening', port: await contender.serve() })
else {
  const caller = await contender.connect(Number(port))
  const count = role === 'bytes' ? await countBytes(caller) : countAnswers(caller, Number(inflight))
  await measure(count, Number(seconds))
  // What the end of the server does to the connection is no one's fault any more.
  process.on('uncaughtException', () => process.exit(0))
}
