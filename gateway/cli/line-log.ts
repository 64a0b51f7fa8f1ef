// A log for people: one line an event, `08:15:04.123 info  member joined  member=10.0.0.2:7979`. What
// clients have chosen (ids, topics) is quoted where it could pass for something else.
import type { Log } from '../../broker/runtime/log.ts'

export const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type Level = (typeof LEVELS)[number]

const COLOURS: Readonly<Record<Level, string>> = {
  trace: '\x1b[2m',
  debug: '\x1b[2m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
  silent: ''
}
const FIELD_LENGTH_MAX = 1000

export interface LineLogOptions {
  /** The least important level that is written. */
  level: Level
  colour: boolean
  write: (line: string) => void
  /** The time of the line. */
  now: () => Date
}

export class LineLog implements Log {
  readonly #options: LineLogOptions
  readonly #fields: object
  readonly #least: number

  constructor(options: LineLogOptions, fields: object = {}) {
    this.#options = options
    this.#fields = fields
    this.#least = LEVELS.indexOf(options.level)
  }

  trace(fields: object, event: string): void {
    if (this.#least <= 0) this.#write('trace', fields, event)
  }

  debug(fields: object, event: string): void {
    if (this.#least <= 1) this.#write('debug', fields, event)
  }

  info(fields: object, event: string): void {
    if (this.#least <= 2) this.#write('info', fields, event)
  }

  warn(fields: object, event: string): void {
    if (this.#least <= 3) this.#write('warn', fields, event)
  }

  error(fields: object, event: string): void {
    if (this.#least <= 4) this.#write('error', fields, event)
  }

  isLevelEnabled(level: string): boolean {
    return this.#least <= LEVELS.indexOf(level as Level)
  }

  child(fields: object): Log {
    return new LineLog(this.#options, { ...this.#fields, ...fields })
  }

  #write(level: Level, fields: object, event: string): void {
    const { colour, now, write } = this.#options
    const time = now().toISOString().slice(11, 23)
    const name = colour ? `${COLOURS[level]}${level.padEnd(5)}\x1b[0m` : level.padEnd(5)
    const pairs = Object.entries({ ...this.#fields, ...fields }).map(
      ([key, value]) => `${key}=${show(value)}`
    )
    write([`${time} ${name} ${event}`, ...pairs].join(pairs.length > 0 ? ' ' : ''))
  }
}

function show(value: unknown): string {
  if (typeof value === 'string') return cut(quoteIfNeeded(value))
  if (value instanceof Error) return cut(clean(JSON.stringify(describeError(value))))
  if (typeof value === 'object' && value !== null) return cut(clean(asJson(value)))
  return String(value)
}

/** What has a code is expected to happen; only of a bug is the stack worth its lines. */
function describeError(error: Error): string {
  if ('code' in error) return `${error.message} (${String(error.code)})`
  return error.stack ?? error.message
}

function asJson(value: object): string {
  try {
    return JSON.stringify(value, plainError) ?? ''
  } catch {
    return '"[circular]"'
  }
}

function plainError(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? String(value) : value
}

/** Text that is not plainly one word is quoted, with escapes for whatever could move a terminal's cursor. */
function quoteIfNeeded(value: string): string {
  return /^[\x21\x23-\x3c\x3e-\x7e]+$/.test(value) ? value : clean(JSON.stringify(value))
}

function clean(json: string): string {
  return json.replaceAll(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

function cut(shown: string): string {
  return shown.length <= FIELD_LENGTH_MAX ? shown : `${shown.slice(0, FIELD_LENGTH_MAX)}...`
}
