// Logging as the broker sees it: an event name and fields, in pino's order of arguments, so that a
// pino logger is a Log as it stands.

export interface Log {
  trace(fields: object, event: string): void
  debug(fields: object, event: string): void
  info(fields: object, event: string): void
  warn(fields: object, event: string): void
  error(fields: object, event: string): void
  /** False if lines of that level go nowhere, so that their fields need not be gathered. A log may leave it out. */
  isLevelEnabled?(level: string): boolean
  /** A log whose every line also carries `fields`. */
  child(fields: object): Log
}

const nothing = (): void => {}

/** A log that writes nothing. */
export const silentLog: Log = {
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  isLevelEnabled: () => false,
  child: () => silentLog
}
