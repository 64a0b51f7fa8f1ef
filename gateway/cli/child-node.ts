// A node that runs in a process of its own, as `shoal cluster` starts them.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Failure } from './failure.ts'
import { isRecord } from './http.ts'
import type { NodeAddresses } from './node.ts'
import { prefixLines } from './prefix.ts'

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url))

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class ChildNode {
  /** `[2]` */
  readonly name: string
  /** Settles when it serves; rejects with `Failure` if it exits before. */
  readonly ready: Promise<NodeAddresses>
  readonly exited: Promise<Exit>
  readonly #process: ChildProcess

  /**
   * Starts it; `write` gets its output, each line after its name. It is in a process group of its own, so that ctrl-C
   * reaches it only through us; and it stops by itself when this process is gone.
   */
  constructor(name: string, flags: readonly string[], write: (line: string) => void) {
    this.name = name
    this.#process = spawn(process.execPath, [...process.execArgv, MAIN, 'cluster-node', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true
    })
    const { stdout, stderr } = this.#process
    if (stdout !== null) prefixLines(stdout, `${name} `, write)
    if (stderr !== null) prefixLines(stderr, `${name} `, write)
    this.exited = new Promise(resolve => {
      this.#process.once('error', () => resolve({ code: null, signal: null }))
      this.#process.once('close', (code, signal) => resolve({ code, signal }))
    })
    this.ready = new Promise((resolve, reject) => {
      this.#process.on('message', message => {
        if (isReady(message)) resolve(message.ready)
      })
      void this.exited.then(() => reject(new Failure(`The node ${name} did not start.`)))
    })
    // Whoever started it may have stopped waiting for it.
    this.ready.catch(() => {})
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** Asks it to stop; `SIGKILL` does not ask. Does nothing when it has exited. */
  stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): void {
    if (this.running) this.#process.kill(signal)
  }
}

function isReady(message: unknown): message is { ready: NodeAddresses } {
  return isRecord(message) && isRecord(message['ready']) && typeof message['ready']['cluster'] === 'string'
}

/** `exit code 1`, `SIGKILL` */
export function describeExit({ code, signal }: Exit): string {
  return signal ?? (code === null ? 'could not be started' : `exit code ${code}`)
}
