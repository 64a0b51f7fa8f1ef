// Where the values of options come from: the command line over the environment over a file over the
// defaults. Each source is read into a layer of names and what was written; the layers are laid on
// each other and checked at once, so that a bad value is found even where another covers it.
import { ShoalError } from '../errors.ts'
import type { Option, OptionTable, OptionValues } from './option.ts'
import { suggestion } from './suggestion.ts'

/** What one source gives for one option, and how the source calls it: `--mqtt-port`, `SHOAL_MQTT_PORT`. */
export interface Given {
  readonly label: string
  readonly value: unknown
}

/** What one source gives, by the name of the option. */
export type Layer = ReadonlyMap<string, Given>

/** OPTION_INVALID whose message is a whole sentence for the person who wrote the option. */
export class OptionError extends ShoalError {
  constructor(sentence: string, fields: Record<string, unknown>) {
    super('OPTION_INVALID', fields)
    this.message = sentence
  }
}

/** `mqttPort` → `mqtt-port`, its flag without the dashes. */
export function flagOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** `mqttPort` → `SHOAL_MQTT_PORT`. */
export function environmentNameOf(name: string): string {
  return `SHOAL_${flagOf(name).toUpperCase().replaceAll('-', '_')}`
}

/**
 * The `SHOAL_*` variables. An empty one counts as not given. A variable of no option is refused, except those that
 * Kubernetes makes for a service called shoal (`SHOAL_SERVICE_HOST`, `SHOAL_PORT_1883_TCP`). Throws OPTION_INVALID.
 */
export function environmentLayer(
  table: OptionTable,
  environment: Readonly<Record<string, string | undefined>>
): Layer {
  const names = new Map(Object.keys(table).map(name => [environmentNameOf(name), name]))
  const layer = new Map<string, Given>()
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('SHOAL_') || value === undefined || value === '') continue
    const name = names.get(variable)
    if (name !== undefined) layer.set(name, { label: variable, value })
    else if (!SERVICE_LINK.test(variable)) throw unknownOption(variable, [...names.keys()])
  }
  return layer
}

const SERVICE_LINK = /^SHOAL(_[A-Z0-9]+)*_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP)(_.*)?)?)$/

/** An option file as it was parsed: an object of option names. Nothing at all is an empty file. Throws OPTION_INVALID. */
export function fileLayer(table: OptionTable, parsed: unknown, fileName: string): Layer {
  const layer = new Map<string, Given>()
  if (parsed === null || parsed === undefined) return layer
  if (typeof parsed !== 'object' || Array.isArray(parsed)) {
    throw new OptionError(`${fileName} must hold option names and values, like "mqttPort: 1883".`, {
      source: fileName
    })
  }
  for (const [name, value] of Object.entries(parsed)) {
    if (!Object.hasOwn(table, name)) throw unknownOption(`${name} (in ${fileName})`, Object.keys(table), name)
    if (value !== null) layer.set(name, { label: `${name} (in ${fileName})`, value })
  }
  return layer
}

/** The values of all options; `layers` go from strongest to weakest. Throws OPTION_INVALID for the first bad one. */
export function resolve<Table extends OptionTable>(
  table: Table,
  layers: readonly Layer[]
): OptionValues<Table> {
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(table)) {
    values[name] = option.default
    for (const layer of layers.toReversed()) {
      const given = layer.get(name)
      if (given !== undefined) values[name] = readOption(option, given)
    }
  }
  return values as OptionValues<Table>
}

function readOption(option: Option<unknown>, given: Given): unknown {
  const value = option.read(given.value)
  if (value !== undefined) return value
  if (option.secret === true) {
    throw new OptionError(`${given.label} must be ${option.allowed}; it is not, and is not shown here.`, {
      option: given.label,
      allowed: option.allowed
    })
  }
  const fields = { option: given.label, value: given.value, allowed: option.allowed }
  if (given.value === undefined) {
    throw new OptionError(`${given.label} needs a value: ${option.allowed}.`, fields)
  }
  throw new OptionError(`${given.label} is ${shorten(given.value)}, but must be ${option.allowed}.`, fields)
}

/** OPTION_INVALID for a name that no option has; `names` are the known ones in the same custom of writing. */
export function unknownOption(label: string, names: readonly string[], written = label): OptionError {
  const near = suggestion(written, names)
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  return new OptionError(`There is no option ${label}.${hint}`, { option: written, suggestion: near })
}

function shorten(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value)
  return json.length > 80 ? `${json.slice(0, 77)}...` : json
}
