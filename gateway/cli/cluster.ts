// `shoal cluster`: a cluster on one machine, to try things out. Every node is a process of its own and
// is told only the first one's cluster address; the rest is gossip.
import { OPTIONS } from '../../broker/config.ts'
import { flagOf, integer, type Layer, OptionError, resolve } from '../../broker/options/index.ts'
import { workersOf } from '../workers/workers.ts'
import { ChildNode, describeExit } from './child-node.ts'
import type { Arguments, Command, Terminal } from './command.ts'
import type { NodeAddresses } from './node.ts'
import { CONFIG_OPTION, loadConfig } from './option-file.ts'
import { StopSignals } from './signals.ts'
import { table } from './table.ts'

const COUNT_OPTION = { nodes: integer(3, 1, 16, 'How many nodes.') } as const
const PORTS = ['mqttPort', 'httpPort', 'clusterPort'] as const
/** What each node has by its place: given by us. */
const OURS: readonly string[] = ['nodes', 'base', ...PORTS]
/** Beyond `closeTimeoutMs`, before a node that does not stop is killed. */
const STOP_GRACE_MS = 2000

export const cluster: Command = {
  name: 'cluster',
  summary: 'Starts three nodes on this machine, on ports that count up from those given.',
  positionals: [],
  options: { ...COUNT_OPTION, ...CONFIG_OPTION, ...OPTIONS },
  letters: {},
  examples: [
    'shoal cluster',
    'shoal cluster --nodes 5 --log-level warn',
    'shoal cluster --mqtt-port 0 --http-port 0 --cluster-port 0'
  ],
  outlivesOutput: true,
  hidden: false,
  async run({ flags }: Arguments, terminal: Terminal): Promise<number> {
    const { nodes: count } = resolve(COUNT_OPTION, [flags])
    const config = loadConfig(flags, terminal.environment)
    if (config.base.length > 0) {
      throw new OptionError('base is given, but the nodes of `shoal cluster` join each other only.', {
        option: 'base'
      })
    }
    const workers = workersOf(config)
    // Each worker has a cluster port, all of a node share the others.
    const ports = PORTS.map(name => ({
      name,
      first: config[name],
      step: name === 'clusterPort' ? workers : 1
    }))
    for (const { name, first, step } of ports) checkPorts(name, first, count * step, count)
    const children: ChildNode[] = []
    const signals = new StopSignals(
      process,
      () => performance.now(),
      code => {
        for (const child of children) child.stop('SIGKILL')
        process.exit(code)
      }
    )
    const launch = (index: number, base: readonly string[]): ChildNode => {
      const own = ports.map(({ name, first, step }) => [name, portAt(first, index * step)] as const)
      const child = new ChildNode(`[${index + 1}]`, flagsFor(flags, own, base), line => terminal.out(line))
      children.push(child)
      return child
    }
    try {
      const started = await Promise.race([bringUp(count, launch), signals.first])
      if (typeof started === 'string') return await stopAll(children, config.closeTimeoutMs)
      for (const line of overview(started)) terminal.out(line)
      let isStopping = false
      void signals.first.then(() => {
        isStopping = true
      })
      const allGone = watch(children, () => !isStopping, terminal)
      const end = await Promise.race([signals.first, allGone])
      return end === 'all gone' ? 1 : await stopAll(children, config.closeTimeoutMs)
    } catch (error) {
      await stopAll(children, config.closeTimeoutMs)
      throw error
    }
  }
}

/** Settles when all serve. The first must: the others join by its address. */
async function bringUp(
  count: number,
  launch: (index: number, base: readonly string[]) => ChildNode
): Promise<NodeAddresses[]> {
  const first = await launch(0, []).ready
  const others = Array.from({ length: count - 1 }, (_, index) => launch(index + 1, [first.cluster]).ready)
  return [first, ...(await Promise.all(others))]
}

/** Says which node is lost, unless it was asked to stop; settles when none is left. */
async function watch(
  children: readonly ChildNode[],
  isLoss: () => boolean,
  terminal: Terminal
): Promise<'all gone'> {
  let left = children.length
  const exits = children.map(async child => {
    const exit = await child.exited
    left--
    if (!isLoss()) return
    terminal.out(
      `${child.name} is gone (${describeExit(exit)}); ${left} of ${children.length} nodes are left`
    )
  })
  await Promise.all(exits)
  return 'all gone'
}

/** Asks all to stop and waits; the exit code is 0 if each stopped as asked, or was gone before. */
async function stopAll(children: readonly ChildNode[], closeTimeoutMs: number): Promise<number> {
  const running = children.filter(child => child.running)
  for (const child of running) child.stop()
  const timer = setTimeout(() => {
    for (const child of running) child.stop('SIGKILL')
  }, closeTimeoutMs + STOP_GRACE_MS)
  const exits = await Promise.all(running.map(child => child.exited))
  clearTimeout(timer)
  return exits.every(({ code }) => code === 0) ? 0 : 1
}

/** What was given to us goes to every node, except what each has of its own. */
function flagsFor(
  given: Layer,
  own: readonly (readonly [string, string])[],
  base: readonly string[]
): string[] {
  const passedOn = [...given].filter(([name]) => !OURS.includes(name))
  const flags = passedOn.flatMap(([name, { value }]) => {
    if (typeof value === 'boolean') return [value ? `--${flagOf(name)}` : `--no-${flagOf(name)}`]
    return (Array.isArray(value) ? value : [value]).map(one => `--${flagOf(name)}=${one}`)
  })
  return [...flags, ...own.map(([name, value]) => `--${flagOf(name)}=${value}`), `--base=${base.join(',')}`]
}

function portAt(first: number | 'off', place: number): string {
  return typeof first === 'number' && first > 0 ? String(first + place) : String(first)
}

function checkPorts(name: string, first: number | 'off', ports: number, nodes: number): void {
  if (first === 'off' || first + ports - 1 <= 65_535) return
  const sentence = `--${flagOf(name)} is ${first}, which leaves no ports for ${nodes} nodes: at most ${65_536 - ports}.`
  throw new OptionError(sentence, { option: name, value: first })
}

function overview(nodes: readonly NodeAddresses[]): string[] {
  const rows = nodes.map(({ mqtt, http, cluster }, index) => [
    `[${index + 1}]`,
    mqtt ?? 'off',
    http ?? 'off',
    cluster
  ])
  const lines = table(['node', 'MQTT', 'WebSocket and HTTP', 'cluster'], rows)
  return ['', ...lines, '', `${nodes.length} nodes are up. Ctrl-C stops them.`, '']
}
