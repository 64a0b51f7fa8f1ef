// One level of a tree of topics or filters: 'a/b' hangs below 'a', which hangs below the root.
// Most levels have one child and a few have thousands, so a map is made for the second child only.
// Shared by the trie (filters in the tree, a topic walks it) and the retained messages (the reverse).
import { Buffer } from 'node:buffer'

/** Strings up to this length are copied when they are cut from a longer one; beyond, V8 keeps the longer one alive. */
const copiedMax = 12

export class Level<V> {
  readonly name: string
  readonly parent: Level<V> | null
  /** What is stored under the path that ends here; null if the path only leads on. */
  value: V | null
  /** The first child, while it is the only one. */
  only: Level<V> | null
  /** All children by name, from the second one on until the last is gone. */
  children: Map<string, Level<V>> | null

  constructor(name: string, parent: Level<V> | null) {
    this.name = name
    this.parent = parent
    this.value = null
    this.only = null
    this.children = null
  }

  /** The child of that name. */
  child(name: string): Level<V> | null {
    if (this.children !== null) return this.children.get(name) ?? null
    return this.only !== null && this.only.name === name ? this.only : null
  }

  /** The level at the end of a path of names with '/' between them. */
  at(path: string): Level<V> | null {
    let level: Level<V> | null = this
    let start = 0
    while (level !== null) {
      const end = path.indexOf('/', start)
      if (end === -1) return level.child(path.slice(start))
      level = level.child(path.slice(start, end))
      start = end + 1
    }
    return null
  }

  /** As `at`, but makes the levels that are not there. The path must be well-formed Unicode. */
  make(path: string): Level<V> {
    let level: Level<V> = this
    let start = 0
    for (;;) {
      const end = path.indexOf('/', start)
      const name = end === -1 ? path.slice(start) : path.slice(start, end)
      level = level.child(name) ?? level.grow(name)
      if (end === -1) return level
      start = end + 1
    }
  }

  /** Takes this level, if it is bare, and every ancestor that is bare without it, out of the tree. */
  prune(): void {
    let level: Level<V> = this
    while (level.parent !== null && level.isBare) {
      level.parent.shed(level)
      level = level.parent
    }
  }

  /** The children, as they are when each is asked for. */
  kids(): Iterator<Level<V>> {
    if (this.children !== null) return this.children.values()
    return (this.only === null ? [] : [this.only]).values()
  }

  private get isBare(): boolean {
    return this.value === null && this.only === null && this.children === null
  }

  private grow(name: string): Level<V> {
    const child = new Level(name.length > copiedMax ? Buffer.from(name).toString() : name, this)
    if (this.children !== null) {
      this.children.set(child.name, child)
    } else if (this.only === null) {
      this.only = child
    } else {
      this.children = new Map([
        [this.only.name, this.only],
        [child.name, child]
      ])
      this.only = null
    }
    return child
  }

  private shed(child: Level<V>): void {
    if (this.children === null) {
      this.only = null
      return
    }
    this.children.delete(child.name)
    if (this.children.size === 0) this.children = null
  }
}
