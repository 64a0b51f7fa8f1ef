// The load tool's command line: which scenario, against which brokers; prints, writes, and ends with
// 0 when every message arrived once and in order, 1 when not, 2 for a wrong command, 3 when it could not run.
import { realpathSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { pathToFileURL } from 'node:url'
import { ShoalError } from '../broker/errors.ts'
import { BROKERS } from './compare/brokers.ts'
import { compareMain } from './compare/main.ts'
import { ROWS } from './compare/rows.ts'
import { connectRun } from './connect/connect.ts'
import { connectPage } from './connect/page.ts'
import { connectProgress, connectSummary } from './connect/summary.ts'
import { gcMain } from './gc.ts'
import { readMixture } from './mixed/mixture.ts'
import { layOutMixed } from './mixed/plan.ts'
import { checkOptions, type LoadOptions, optionsHelp, parseCommandLine } from './options.ts'
import { layOut, type Plan, SCENARIOS, type ScenarioName } from './plan.ts'
import { consoleProgress, type Screen, screenLines } from './report/console.ts'
import { tellResult } from './report/told.ts'
import { newRunId, runPlan } from './run.ts'
import { soakMain } from './soak.ts'

/** Where a scenario goes that speaks more than MQTT, unless it is told. */
const DEFAULT_URLS: Readonly<Record<string, readonly ['url' | 'publish-to', string]>> = {
  websocket: ['url', 'ws://127.0.0.1:8080'],
  http: ['publish-to', 'http://127.0.0.1:8080']
}

function help(): string {
  const scenarios = Object.entries(SCENARIOS).map(([name, means]) => `  ${name.padEnd(12)} ${means}`)
  scenarios.push(
    `  ${'mixed <file>'.padEnd(12)} groups of clients side by side, as a YAML file lays them out`
  )
  scenarios.push(`  ${'connect'.padEnd(12)} idle connections: opened, held, reopened; what each costs`)
  scenarios.push(
    `  ${'soak'.padEnd(12)} three nodes of Shoal under full load for ten minutes: memory, and every message`
  )
  scenarios.push(
    `  ${'gc'.padEnd(12)} a node of Shoal under full load: how long its garbage collector holds it up`
  )
  scenarios.push(
    `  ${'links'.padEnd(12)} requests and bytes over one connection, beside tentacoli, http2 and a socket (links --help)`
  )
  const compared = `  ${'compare'.padEnd(12)} brokers side by side: ${Object.keys(BROKERS).join(', ')}`
  const rows = Object.entries(ROWS).map(([name, { title }]) => `  ${name.padEnd(18)} ${title}`)
  return [
    'load <scenario> [options]',
    '',
    'Scenarios',
    ...scenarios,
    compared,
    '',
    'Rows of compare',
    ...rows,
    '',
    'Options',
    optionsHelp()
  ].join('\n')
}

async function runLoad(scenario: string, plan: Plan, options: LoadOptions, screen: Screen): Promise<number> {
  const result = await runPlan(scenario, plan, options, consoleProgress(screen, options.quiet))
  return tellResult(result, options, screen) ? 0 : 1
}

async function runConnect(options: LoadOptions, screen: Screen): Promise<number> {
  const lines = screenLines(screen, options.quiet)
  const result = await connectRun(options, connectProgress(lines, screen, options.connections))
  lines.end()
  screen.write(`${connectSummary(result)}\n`)
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 1)}\n`)
  if (options.html !== undefined) writeFileSync(options.html, connectPage(result))
  return result.lost === 0 ? 0 : 1
}

/** Runs the command line `args` (without node and script) and returns the exit code. */
export async function main(
  args: readonly string[],
  screen: Screen = process.stdout,
  errors: Screen = process.stderr
): Promise<number> {
  try {
    if (args[0] === 'links') {
      // Loaded where it is asked for: it measures packages that are there only in development.
      const { linksMain } = await import('./links/main.ts')
      return await linksMain(args.slice(1))
    }
    const { words, raw } = parseCommandLine(args)
    const [scenario, file] = words
    if (raw.help === true || scenario === undefined) {
      screen.write(`${help()}\n`)
      return raw.help === true ? 0 : 2
    }
    if (file !== undefined && scenario !== 'mixed') {
      throw new ShoalError('OPTION_INVALID', { why: `${file} is one word too many` })
    }
    if (scenario === 'gc') return await gcMain(raw, screen)
    if (scenario === 'soak') return await soakMain(raw, screen)
    const [defaultOption, defaultUrl] = DEFAULT_URLS[scenario] ?? []
    if (defaultOption !== undefined && raw.url === undefined) raw[defaultOption] ??= [defaultUrl!]
    const options = checkOptions(raw)
    if (scenario === 'mixed') {
      return await runLoad(
        scenario,
        layOutMixed(readMixture(file, options), options, newRunId()),
        options,
        screen
      )
    }
    if (scenario === 'compare') return await compareMain(raw, options, screen)
    if (scenario === 'connect') return await runConnect(options, screen)
    if (!Object.hasOwn(SCENARIOS, scenario)) {
      throw new ShoalError('OPTION_INVALID', {
        scenario,
        allowed: [...Object.keys(SCENARIOS), 'mixed', 'connect', 'soak', 'gc', 'links', 'compare'].join(', ')
      })
    }
    return await runLoad(scenario, layOut(scenario as ScenarioName, options, newRunId()), options, screen)
  } catch (error) {
    errors.write(`load: ${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof ShoalError && error.code === 'OPTION_INVALID' ? 2 : 3
  }
}

const script = process.argv[1]
if (script !== undefined && import.meta.url === pathToFileURL(realpathSync(script)).href) {
  // An orderly exit, so that brokers that were started are ended, too.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]))
  }
  process.exitCode = await main(process.argv.slice(2))
}
