// What went wrong, as one sentence for the person at the terminal. Anything else that is thrown is
// a bug, and is shown with its stack.

/** Ends a command with a sentence on standard error and no stack. `exitCode` is 2 if the command was not understood. */
export class Failure extends Error {
  readonly exitCode: number

  constructor(sentence: string, exitCode = 1, cause?: unknown) {
    super(sentence, cause === undefined ? {} : { cause })
    this.name = 'Failure'
    this.exitCode = exitCode
  }
}

/** The system's code of an error, `ECONNREFUSED`, also where it is wrapped; undefined if it has none. */
export function systemCode(error: unknown): string | undefined {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 5; inner = inner.cause, depth++) {
    const errors = inner instanceof AggregateError ? inner.errors : [inner]
    for (const one of errors) {
      if (
        one instanceof Error &&
        'code' in one &&
        typeof one.code === 'string' &&
        /^E[A-Z]+$/.test(one.code)
      ) {
        return one.code
      }
    }
  }
  return undefined
}
