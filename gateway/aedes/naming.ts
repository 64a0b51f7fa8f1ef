// What topics and patterns of an emitter are called on the broker. They stand behind a level of their own, so that nothing is hidden
// from a leading wildcard, and neither side sees what the other publishes; and what is nothing special to the
// emitter is written so that it is nothing special to MQTT.
//
//   topic    $SYS/42/heartbeat   ─▶  $aedes/$SYS/42/heartbeat
//   pattern  $SYS/+/heartbeat    ─▶  $aedes/$SYS/+/heartbeat
//   with '.' for '/' and '*' for '+':   a.*.b+/c   ─▶  $aedes/a/+/b%2B%2Fc

export interface NamingOptions {
  separator: string
  wildcardOne: string
  wildcardSome: string
}

const ROOT = '$aedes/'
const SPECIAL = /[%+#/]/g

export class Naming {
  readonly #options: NamingOptions

  constructor(options: NamingOptions) {
    this.#options = options
  }

  topic(name: string): string {
    return ROOT + name.split(this.#options.separator).map(plain).join('/')
  }

  filter(pattern: string): string {
    const { separator, wildcardOne, wildcardSome } = this.#options
    const level = (text: string): string =>
      text === wildcardOne ? '+' : text === wildcardSome ? '#' : plain(text)
    return ROOT + pattern.split(separator).map(level).join('/')
  }

  /** Whether a wildcard for one level stands where the topic, which matches the pattern, has an empty one. */
  hasEmptyLevel(pattern: string, topic: string): boolean {
    const { separator, wildcardOne } = this.#options
    const levels = topic.split(separator)
    return pattern.split(separator).some((text, depth) => text === wildcardOne && levels[depth] === '')
  }
}

function plain(level: string): string {
  return level.replace(SPECIAL, encodeURIComponent)
}
