// Finds the filters that match a topic. Filters hang in a tree, level under level, '+' and '#' among
// the names; a topic walks down by its own name and by '+' at once, and gathers each '#' it passes.
// Source: MQTT 5.0, section 4.7. Memory is in proportion to the levels of the filters that are stored.
//
//   'a/+', 'a/b', 'a/b/#'           (root) ── a ──┬── +   [values]
//                                                 └── b   [values] ── #   [values]
import { isHidden } from './filter.ts'
import { Level } from './level.ts'

/**
 * Any number of values under each of any number of filters. Filters and topics are valid (filter.ts). The values
 * of one filter should be few: adding and removing looks at each of them.
 */
export class Trie<V> {
  /** Pairs of a filter and a value. */
  size = 0
  private readonly root = new Level<V[]>('', null)
  /** The levels of the topic that is being matched. */
  private readonly names: string[] = []
  private depthMax = 0

  /** False if the filter had the value already. */
  add(filter: string, value: V): boolean {
    const level = this.root.make(filter)
    // A literal of one element has room for one; a push would make room for seventeen.
    if (level.value === null) level.value = [value]
    else if (level.value.includes(value)) return false
    else level.value.push(value)
    this.size++
    return true
  }

  /** False if the filter did not have the value. */
  remove(filter: string, value: V): boolean {
    const level = this.root.at(filter)
    if (level === null || level.value === null) return false
    const index = level.value.indexOf(value)
    if (index === -1) return false
    level.value.splice(index, 1)
    this.size--
    if (level.value.length === 0) {
      level.value = null
      level.prune()
    }
    return true
  }

  /** Appends the values of all filters that match the topic, those of one filter in the order they were added. */
  match(topic: string, into: V[]): void {
    if (this.size === 0) return
    const names = this.names
    let depth = 0
    let start = 0
    for (;;) {
      const end = topic.indexOf('/', start)
      if (end === -1) break
      names[depth++] = topic.slice(start, end)
      start = end + 1
    }
    names[depth++] = topic.slice(start)
    this.depthMax = depth
    if (isHidden(topic)) {
      const first = this.root.child(names[0]!) // [MQTT-4.7.2-1]
      if (first !== null) this.walk(first, 1, into)
    } else {
      this.walk(this.root, 0, into)
    }
  }

  /** Every pair, in no particular order. */
  forEach(run: (filter: string, value: V) => void): void {
    visit(this.root, '', run)
  }

  private walk(level: Level<V[]>, depth: number, into: V[]): void {
    const rest = level.child('#') // Matches the level above it as well.
    if (rest !== null) append(rest.value, into)
    if (depth === this.depthMax) {
      append(level.value, into)
      return
    }
    const named = level.child(this.names[depth]!)
    if (named !== null) this.walk(named, depth + 1, into)
    const any = level.child('+')
    if (any !== null) this.walk(any, depth + 1, into)
  }
}

function append<V>(values: V[] | null, into: V[]): void {
  if (values === null) return
  for (let i = 0; i < values.length; i++) into.push(values[i]!)
}

function visit<V>(parent: Level<V[]>, prefix: string, run: (filter: string, value: V) => void): void {
  const kids = parent.kids()
  for (let next = kids.next(); next.done !== true; next = kids.next()) {
    const level = next.value
    const filter = prefix + level.name
    for (const value of level.value ?? []) run(filter, value)
    visit(level, `${filter}/`, run)
  }
}
