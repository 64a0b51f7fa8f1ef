// The documentation of a table of options, made from the table: Markdown for the README, text for
// `shoal help`.
import { environmentNameOf, flagOf, type Option, type OptionTable } from '../../broker/options/index.ts'

/** A Markdown table: one row an option. The names are those of an option file; flag and variable follow from them. */
export function markdownReference(table: OptionTable): string {
  const rows = Object.entries(table).map(([name, option]) => {
    const flag = `\`${writtenName(name, option)}\``
    const what = option.standsAlone ? flag : `${flag} ${cell(option.allowed)}`
    return `| \`${name}\` | ${what} | ${standard(option, '`')} | ${cell(option.why)} |`
  })
  return ['| option | flag and what it takes | default | what for |', '|---|---|---|---|', ...rows, ''].join(
    '\n'
  )
}

function cell(words: string): string {
  return words.replaceAll('|', '\\|')
}

/** One paragraph an option: flag, letter, default, why, allowed; lines of at most 100 characters. */
export function textReference(
  table: OptionTable,
  letters: Readonly<Record<string, string>>,
  variables: boolean
): string {
  const letterOf = new Map(Object.entries(letters).map(([letter, name]) => [name, letter]))
  const paragraphs = Object.entries(table).map(([name, option]) => {
    const letter = letterOf.get(name)
    const flags = `${letter === undefined ? '' : `-${letter}, `}${writtenName(name, option)}`
    const takes = option.standsAlone ? '' : ` Takes ${option.allowed}.`
    const variable = variables ? ` ${environmentNameOf(name)}.` : ''
    const body = `${option.why.replaceAll('`', '')}${takes} Default: ${standard(option, '')}.${variable}`
    return `  ${flags}\n${wrapped(body, 94, '      ')}`
  })
  return paragraphs.join('\n')
}

/** Its flag; of a secret, which has none, its variable. */
function writtenName(name: string, option: Option<unknown>): string {
  return option.secret === true ? environmentNameOf(name) : `--${flagOf(name)}`
}

function standard(option: Option<unknown>, quote: string): string {
  const shown = option.show(option.default)
  return shown === '' ? 'none' : `${quote}${shown}${quote}`
}

/** Breaks words into lines of at most `width` characters, each after `indent`. */
function wrapped(words: string, width: number, indent: string): string {
  const lines = ['']
  for (const word of words.split(' ')) {
    const line = lines.at(-1)!
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map(line => indent + line).join('\n')
}
