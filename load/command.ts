// The command that made a result, so that it can be run again; without its secrets.

/** `load …` as it was typed, the values of `--password` left out. */
export function commandLine(args: readonly string[] = process.argv.slice(2)): string {
  const shown = args.map((arg, i) => {
    if (args[i - 1] === '--password') return '***'
    return arg.startsWith('--password=') ? '--password=***' : arg
  })
  return ['load', ...shown].join(' ')
}
