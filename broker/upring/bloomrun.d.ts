// What we use of bloomrun, which comes without types.
declare module 'bloomrun' {
  interface Bloomrun<T> {
    add(pattern: object, payload: T): this
    /** The payload of the first pattern that matches, in the order of `add`. */
    lookup(object: object): T | null
  }
  function bloomrun<T>(): Bloomrun<T>
  export = bloomrun
}
