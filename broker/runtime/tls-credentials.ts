// What a node shows and asks of others in mutual TLS. It may be replaced while in use: connections from then on take the
// new one, those that stand go on with what they have.

/** Each in PEM. */
export interface TlsMaterial {
  /** Of this node, with the intermediate ones behind it. */
  readonly cert: string
  readonly key: string
  /** Those that may sign a node's certificate: whoever shows one is let in. So let them sign for nothing else. */
  readonly ca: string
}

export class TlsCredentials {
  #material: TlsMaterial
  readonly #listeners = new Set<() => void>()

  constructor(material: TlsMaterial) {
    this.#material = material
  }

  get material(): TlsMaterial {
    return this.#material
  }

  replace(material: TlsMaterial): void {
    this.#material = material
    for (const listener of this.#listeners) listener()
  }

  /** Calls `changed` after each `replace`, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }
}
