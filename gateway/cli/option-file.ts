// Reads an option file: YAML, and so JSON too.
import { readFileSync, statSync } from 'node:fs'
import { parse } from 'yaml'
import { type Config, readConfig } from '../../broker/config.ts'
import { environmentNameOf, type Layer, resolve, text } from '../../broker/options/index.ts'
import { Failure, systemCode } from './failure.ts'

const FILE_BYTES_MAX = 1024 * 1024

/** The option that is not of the node, but says where its others are. */
export const CONFIG_OPTION = {
  config: text('', 'A YAML or JSON file of options, by their names; flags and variables win over it.', 4096)
} as const

/** The options of a node from the command line, `SHOAL_*` and the file that one of them names. Throws OPTION_INVALID or `Failure`. */
export function loadConfig(flags: Layer, environment: Readonly<Record<string, string | undefined>>): Config {
  const { config: variable, ...others } = splitConfig(environment)
  const path = resolve(CONFIG_OPTION, [flags]).config || variable || ''
  const file = path === '' ? {} : { file: { name: path, content: readOptionFile(path) } }
  return readConfig({ flags, environment: others.environment, ...file })
}

function splitConfig(environment: Readonly<Record<string, string | undefined>>): {
  config: string | undefined
  environment: Record<string, string | undefined>
} {
  const name = environmentNameOf('config')
  return { config: environment[name], environment: { ...environment, [name]: undefined } }
}

function readOptionFile(path: string): unknown {
  let written: string
  try {
    if (statSync(path).size > FILE_BYTES_MAX)
      throw new Failure(`The option file ${path} is larger than 1 MiB.`, 2)
    written = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Failure) throw error
    const reason = systemCode(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${systemCode(error)})`
    throw new Failure(`The option file ${path} ${reason}.`, 2, error)
  }
  try {
    return parse(written)
  } catch (error) {
    const where =
      error instanceof Error ? (error.message.split('\n')[0] ?? '').replace(/[:.]$/, '') : 'unreadable'
    throw new Failure(`The option file ${path} is neither YAML nor JSON: ${where}.`, 2, error)
  }
}
