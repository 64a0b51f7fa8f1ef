// Whether a topic matches a filter, by MQTT's rules: `+` is one level, a final `#` any number, and
// neither matches a topic's leading `$` level. Source: MQTT 5.0, section 4.7.

/** True if a message to `topic` is for a subscription to `filter`, both valid. Allocates nothing. */
export function matches(filter: string, topic: string): boolean {
  if (filter === topic) return true
  const first = filter.charCodeAt(0)
  // [MQTT-4.7.2-1]
  if ((first === PLUS || first === HASH) && topic.charCodeAt(0) === DOLLAR) return false
  let f = 0
  let t = 0
  while (f < filter.length) {
    const code = filter.charCodeAt(f)
    if (code === HASH) return true
    if (code === PLUS) {
      while (t < topic.length && topic.charCodeAt(t) !== SLASH) t++
      f++
    } else {
      if (t === topic.length) return isRest(filter, f)
      if (topic.charCodeAt(t) !== code) return false
      f++
      t++
    }
  }
  return t === topic.length
}

/** `a/#` also matches `a`: what is left of the filter is `/#`. */
function isRest(filter: string, f: number): boolean {
  return f + 2 === filter.length && filter.charCodeAt(f) === SLASH && filter.charCodeAt(f + 1) === HASH
}

const PLUS = 0x2b
const HASH = 0x23
const SLASH = 0x2f
const DOLLAR = 0x24
