// An option: one named value, how it is read from what a person wrote, and what may be written. A
// file gives typed values and the environment and the command line give text; one reader takes both.

/** One option. `read` and `show` are inverse: `read(show(value))` is `value`. */
export interface Option<T> {
  /** The value when nobody gives one. */
  readonly default: T
  /** What may be written, to follow "must be": `a port from 0 to 65535`. */
  readonly allowed: string
  /** What it is for: one sentence for the documentation. */
  readonly why: string
  /** True for a boolean: its flag stands alone, and `--no-<flag>` turns it off. */
  readonly standsAlone: boolean
  /** True if its flag may be given several times: the values are read together, as an array. */
  readonly repeats: boolean
  /** True if nobody may read it: it has no flag, since every user of a machine sees its command lines, and no message shows it. */
  readonly secret?: true
  /** The value meant by text, or by a value of a YAML or JSON file; undefined if it is not allowed. */
  read(given: unknown): T | undefined
  show(value: T): string
}

/** What a text must look like, and how that is said to a person. */
export interface Shape {
  readonly pattern: RegExp
  readonly allowed: string
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>

/** The values of a table of options. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never
}

/** Text of at most `lengthMax` characters. */
export function text(standard: string, why: string, lengthMax: number): Option<string> {
  return word(standard, why, { pattern: /^/, allowed: `text of at most ${lengthMax} characters` }, lengthMax)
}

/** Text that matches `shape.pattern` as a whole; `shape.allowed` says so in words. */
export function word(standard: string, why: string, shape: Shape, lengthMax = 1024): Option<string> {
  return {
    default: standard,
    allowed: shape.allowed,
    why,
    standsAlone: false,
    repeats: false,
    read: given => {
      const written = typeof given === 'number' ? String(given) : given
      if (typeof written !== 'string' || written.length > lengthMax) return undefined
      return shape.pattern.test(written) ? written : undefined
    },
    show: value => value
  }
}

/** A whole number from `min` to `max`. */
export function integer(standard: number, min: number, max: number, why: string): Option<number> {
  return {
    default: standard,
    allowed: `a whole number from ${min} to ${max}`,
    why,
    standsAlone: false,
    repeats: false,
    read: given => within(readNumber(given), min, max),
    show: String
  }
}

/** A port: a number, 0 for any free one. */
export function port(standard: number, why: string): Option<number> {
  return { ...integer(standard, 0, 65535, why), allowed: 'a port from 0 to 65535 (0: any free one)' }
}

/** A port, or `off` for no listener. */
export function portOrOff(standard: number, why: string): Option<number | 'off'> {
  const number = port(standard, why)
  return {
    ...number,
    allowed: 'a port from 0 to 65535 (0: any free one), or off',
    // YAML 1.1 readers, and people, take a bare `off` for false.
    read: given => (given === 'off' || given === false ? 'off' : number.read(given)),
    show: String
  }
}

/** A whole number from 1 to `max`, or `auto` for as many as the machine is good for. */
export function countOrAuto(standard: number, max: number, why: string): Option<number | 'auto'> {
  const number = integer(standard, 1, max, why)
  return {
    ...number,
    allowed: `${number.allowed}, or auto`,
    read: given => (given === 'auto' ? 'auto' : number.read(given)),
    show: String
  }
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const BYTE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  KB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3
}

/** A time in milliseconds, also written `250ms`, `5s`, `2m` or `1h`. */
export function duration(standardMs: number, minMs: number, maxMs: number, why: string): Option<number> {
  return measure(standardMs, minMs, maxMs, why, DURATION_UNITS, 'h m s ms', 'milliseconds, or with a unit')
}

/** A number of bytes, also written `64KiB`, `1MiB` or `2MB`. */
export function bytes(standard: number, min: number, max: number, why: string): Option<number> {
  return measure(standard, min, max, why, BYTE_UNITS, 'GiB MiB KiB B', 'bytes, or with a unit')
}

export function flag(standard: boolean, why: string): Option<boolean> {
  return {
    default: standard,
    allowed: 'true or false',
    why,
    standsAlone: true,
    repeats: false,
    read: given => {
      if (given === true || given === 'true' || given === '1' || given === 'yes') return true
      if (given === false || given === 'false' || given === '0' || given === 'no') return false
      return undefined
    },
    show: String
  }
}

/** One of a few words. */
export function choice<const Word extends string>(
  standard: Word,
  words: readonly Word[],
  why: string
): Option<Word> {
  return {
    default: standard,
    allowed: words.length === 1 ? `${words[0]}` : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    why,
    standsAlone: false,
    repeats: false,
    read: given => words.find(word => word === given),
    show: value => value
  }
}

/** At most `countMax` items: an array, or text with commas. Each must match `item.pattern`. */
export function list(countMax: number, why: string, item: Shape): Option<readonly string[]> {
  return {
    default: [],
    allowed: `at most ${countMax} of ${item.allowed}, with commas between`,
    why,
    standsAlone: false,
    repeats: true,
    read: given => {
      const items = (Array.isArray(given) ? given : [given]).flatMap(split)
      if (items.length > countMax) return undefined
      return items.every((one): one is string => typeof one === 'string' && item.pattern.test(one))
        ? items
        : undefined
    },
    show: value => value.join(',')
  }
}

/** As `list`, and secret. */
export function secrets(countMax: number, why: string, item: Shape): Option<readonly string[]> {
  return { ...list(countMax, why, item), secret: true }
}

/** At most `countMax` texts, each given by a flag of its own, and taken as it is. */
export function several(countMax: number, why: string): Option<readonly string[]> {
  return {
    default: [],
    allowed: `text of at most 65535 characters, at most ${countMax} times`,
    why,
    standsAlone: false,
    repeats: true,
    read: given => {
      if (!Array.isArray(given) || given.length > countMax) return undefined
      const isText = (one: unknown): one is string => typeof one === 'string' && one.length <= 65_535
      return given.every(isText) ? given : undefined
    },
    show: value => value.join(' ')
  }
}

function split(written: unknown): unknown[] {
  if (typeof written !== 'string') return [written]
  return written
    .split(',')
    .map(one => one.trim())
    .filter(one => one !== '')
}

function readNumber(given: unknown): number | undefined {
  if (typeof given === 'number') return given
  return typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : undefined
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  if (value === undefined || !Number.isSafeInteger(value)) return undefined
  return value >= min && value <= max ? value : undefined
}

function measure(
  standard: number,
  min: number,
  max: number,
  why: string,
  units: Readonly<Record<string, number>>,
  shownUnits: string,
  inWords: string
): Option<number> {
  const show = (value: number): string => {
    const unit = shownUnits.split(' ').find(name => value !== 0 && value % units[name]! === 0)
    return unit === undefined ? String(value) : `${value / units[unit]!}${unit}`
  }
  return {
    default: standard,
    allowed: `${inWords}, from ${show(min)} to ${show(max)}`,
    why,
    standsAlone: false,
    repeats: false,
    read: given => {
      const [, count, unit] = (typeof given === 'string' && /^(\d{1,15})\s*([A-Za-z]+)$/.exec(given)) || []
      if (count === undefined || unit === undefined) return within(readNumber(given), min, max)
      return Object.hasOwn(units, unit) ? within(Number(count) * units[unit]!, min, max) : undefined
    },
    show
  }
}
