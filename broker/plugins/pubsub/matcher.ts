// Which filters match a topic: a tree of levels, with the wildcards that its owner has chosen.
//   one    stands for any single level
//   some   for any number of levels, also none; anywhere in a filter
export interface TopicRules {
  readonly separator: string
  readonly wildcardOne: string
  readonly wildcardSome: string
  /** Whether `wildcardOne` stands for an empty level as well. */
  readonly matchEmptyLevels: boolean
}

interface Node<T> {
  readonly values: Set<T>
  readonly children: Map<string, Node<T>>
}

export class Matcher<T> {
  readonly #rules: TopicRules
  readonly #root: Node<T> = { values: new Set(), children: new Map() }

  constructor(rules: TopicRules) {
    this.#rules = rules
  }

  /** True if it was not there. */
  add(filter: string, value: T): boolean {
    let node = this.#root
    for (const level of filter.split(this.#rules.separator)) {
      let child = node.children.get(level)
      if (child === undefined) {
        child = { values: new Set(), children: new Map() }
        node.children.set(level, child)
      }
      node = child
    }
    const { size } = node.values
    return node.values.add(value).size > size
  }

  /** True if it was there. */
  remove(filter: string, value: T): boolean {
    const levels = filter.split(this.#rules.separator)
    const way = [this.#root]
    for (const level of levels) {
      const child = way.at(-1)!.children.get(level)
      if (child === undefined) return false
      way.push(child)
    }
    if (!way.at(-1)!.values.delete(value)) return false
    for (let depth = levels.length; depth > 0; depth--) {
      const { values, children } = way[depth]!
      if (values.size > 0 || children.size > 0) break
      way[depth - 1]!.children.delete(levels[depth - 1]!)
    }
    return true
  }

  /** Each value once, whatever the number of its filters that match. */
  match(topic: string): Set<T> {
    const found = new Set<T>()
    this.#match(this.#root, topic.split(this.#rules.separator), 0, found)
    return found
  }

  #match(node: Node<T>, levels: readonly string[], at: number, found: Set<T>): void {
    const { wildcardOne, wildcardSome, matchEmptyLevels } = this.#rules
    const some = node.children.get(wildcardSome)
    if (some !== undefined)
      for (let next = at; next <= levels.length; next++) this.#match(some, levels, next, found)
    const level = levels[at]
    if (level === undefined) {
      for (const value of node.values) found.add(value)
      return
    }
    const exact = node.children.get(level)
    if (exact !== undefined && exact !== some) this.#match(exact, levels, at + 1, found)
    const one = node.children.get(wildcardOne)
    if (one !== undefined && one !== exact && (level !== '' || matchEmptyLevels))
      this.#match(one, levels, at + 1, found)
  }
}
