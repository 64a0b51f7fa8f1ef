// What becomes of a process, or of a worker in it, when something is thrown that nobody expected.
import type { Log } from '../../broker/runtime/log.ts'

/** After that no state can be trusted: calls `exit`, which is to end all at once, and other nodes take over. */
export function exitOnBugs(log: Log, exit: () => void): void {
  process.on('uncaughtException', error => {
    log.error({ err: error }, 'uncaught exception, exiting')
    exit()
  })
}
