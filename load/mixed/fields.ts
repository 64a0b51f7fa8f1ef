// Reads the fields of one mapping of a YAML file, each with its bounds. What is wrong is named by its
// path in the file: `groups.meters.rate`.
import { ShoalError } from '../../broker/errors.ts'
import { suggestion } from '../../broker/options/index.ts'

export class Fields {
  readonly path: string
  readonly #values: Readonly<Record<string, unknown>>
  readonly #asked = new Set<string>()

  /** `path` is empty for the whole file. Throws `OPTION_INVALID` when `value` is no mapping. */
  constructor(path: string, value: unknown) {
    this.path = path
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new ShoalError('OPTION_INVALID', { at: path === '' ? 'the file' : path, allowed: 'a mapping' })
    }
    this.#values = { ...value }
  }

  has(name: string): boolean {
    return this.#read(name) !== undefined
  }

  text(name: string): string | undefined {
    const value = this.#read(name)
    if (value !== undefined && typeof value !== 'string') throw this.#invalid(name, value, 'a text')
    return value
  }

  /** A whole number. Without a fallback it must be given. */
  whole(name: string, least: number, most: number, fallback?: number): number {
    const value = this.#read(name) ?? fallback
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
      throw this.#invalid(name, value, `a whole number from ${least} to ${most}`)
    }
    return value
  }

  /** A number above zero, or `max`, which is 0 here. */
  rate(name: string, fallback: number): number {
    const value = this.#read(name) ?? fallback
    if (value === 'max' || value === fallback) return value === 'max' ? 0 : fallback
    if (typeof value !== 'number' || !(value > 0) || value > 100_000_000) {
      throw this.#invalid(name, value, 'a number above 0, or max')
    }
    return value
  }

  oneOf<const T extends string | number>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.#read(name) ?? fallback
    const found = allowed.find(one => one === value)
    if (found === undefined) throw this.#invalid(name, value, allowed.join(', '))
    return found
  }

  /** One text or several. */
  texts(name: string): string[] {
    const value = this.#read(name)
    const all: unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value]
    return all.map(one => {
      if (typeof one !== 'string') throw this.#invalid(name, one, 'a text, or a list of texts')
      return one
    })
  }

  /** The mappings of a list; none when it is not given. */
  list(name: string): Fields[] {
    const value = this.#read(name) ?? []
    if (!Array.isArray(value)) throw this.#invalid(name, value, 'a list')
    return value.map((item, index) => new Fields(`${this.#pathOf(name)}[${index}]`, item))
  }

  /** The mappings of a mapping, by name. */
  mappings(name: string): [string, Fields][] {
    const value = new Fields(this.#pathOf(name), this.#read(name) ?? {})
    return Object.entries(value.#values).map(([key, item]) => [key, new Fields(`${value.path}.${key}`, item)])
  }

  /** Throws `OPTION_INVALID` for a field that nobody asked for. */
  close(): void {
    const unknown = Object.keys(this.#values).find(name => !this.#asked.has(name))
    if (unknown === undefined) return
    const near = suggestion(unknown, [...this.#asked])
    throw this.#invalid(unknown, this.#values[unknown], near ?? [...this.#asked].join(', '))
  }

  /** The error for a value that this class cannot judge. */
  invalid(name: string, allowed: string): ShoalError {
    return this.#invalid(name, this.#values[name], allowed)
  }

  #read(name: string): unknown {
    this.#asked.add(name)
    return this.#values[name] ?? undefined
  }

  #pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`
  }

  #invalid(name: string, value: unknown, allowed: string): ShoalError {
    return new ShoalError('OPTION_INVALID', { at: this.#pathOf(name), value, allowed })
  }
}
