// A promise with a deadline, for tests with real sockets and processes. A simulation has its virtual clock.

/** The promise's result; rejects after `withinMs`, saying what it was waiting for. Keeps the process alive meanwhile. */
export async function withDeadline<T>(promise: Promise<T>, what: string, withinMs = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${withinMs} ms: ${what}`)), withinMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
