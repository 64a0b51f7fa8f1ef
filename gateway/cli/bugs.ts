// What becomes of a process, or of a worker in it, when something is thrown that nobody expected.
import type { Log } from '../../broker/runtime/log.ts'

/** After that no state can be trusted: the process or thread ends with code 1, and other nodes take over. */
export function exitOnBugs(log: Log): void {
  process.on('uncaughtException', error => {
    log.error({ err: error }, 'uncaught exception, exiting')
    process.exit(1)
  })
}
