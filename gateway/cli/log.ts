// The log of a process: lines for people, or pino's JSON objects for machines, on standard output.
import { isatty } from 'node:tty'
import { isMainThread } from 'node:worker_threads'
import { pino } from 'pino'
import type { Config } from '../../broker/config.ts'
import type { Log } from '../../broker/runtime/log.ts'
import { LineLog } from './line-log.ts'

/** Lines leave in the order of the calls, before the call returns. A reader that is gone is not an error. */
export function createLog(config: Pick<Config, 'logLevel' | 'logFormat'>): Log {
  if (config.logFormat === 'json') {
    const destination = standardOutput()
    const { err } = pino.stdSerializers
    const serializers = { err, error: err, reason: err, cause: err }
    return pino(
      { level: config.logLevel, timestamp: pino.stdTimeFunctions.isoTime, serializers },
      destination
    )
  }
  return new LineLog({
    level: config.logLevel,
    colour: isatty(1) && process.env['NO_COLOR'] === undefined,
    write: lineWriter(),
    now: () => new Date()
  })
}

/** What a worker writes to `process.stdout` would have to wait for the main thread, which may be about to end the process. */
function lineWriter(): (line: string) => void {
  if (isMainThread) return line => process.stdout.write(`${line}\n`)
  const destination = standardOutput()
  return line => destination.write(`${line}\n`)
}

function standardOutput(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: 1, sync: true })
  destination.on('error', () => {})
  return destination
}
