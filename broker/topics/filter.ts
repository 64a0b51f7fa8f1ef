// MQTT's rules for topic names and topic filters: what is valid, and which filter matches which
// topic. The trie answers the second question for many filters; here it stands as plainly as it can.
// Source: MQTT 5.0, sections 1.5.4 and 4.7; the numbers of the statements are those of 5.0.
import { ShoalError } from '../errors.ts'

/** The most bytes of a topic or filter in UTF-8. [MQTT-4.7.3-3] */
export const topicBytesMax = 65_535
/** The most levels of a topic or filter: a limit of Shoal's own. */
export const topicLevelsMax = 128

const slash = 0x2f
const plus = 0x2b
const hash = 0x23
const dollar = 0x24

/** Throws TOPIC_INVALID, with a `reason`, unless messages may be published to `name`. */
export function validateTopic(name: string): void {
  const reason = textFault(name) ?? (isWildcard(name) ? 'a topic has no wildcards' : null) // [MQTT-4.7.0-1]
  if (reason !== null) throw new ShoalError('TOPIC_INVALID', { topic: shown(name), reason })
}

/** Throws FILTER_INVALID, with a `reason`, unless `filter` may be subscribed to. */
export function validateFilter(filter: string): void {
  const reason = textFault(filter) ?? wildcardFault(filter)
  if (reason !== null) throw new ShoalError('FILTER_INVALID', { filter: shown(filter), reason })
}

/** Whether a valid filter has wildcards. Without them it matches the one topic that is equal to it. */
export function isWildcard(filter: string): boolean {
  return filter.includes('+') || filter.includes('#')
}

/** Whether topics of this name are hidden from filters that begin with a wildcard. [MQTT-4.7.2-1] */
export function isHidden(topic: string): boolean {
  return topic.charCodeAt(0) === dollar
}

/** Whether a valid filter matches a valid topic. The reference for the trie; it allocates. */
export function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  if (isHidden(topic) && (wanted[0] === '+' || wanted[0] === '#')) return false // [MQTT-4.7.2-1]
  for (const [depth, name] of wanted.entries()) {
    if (name === '#') return true // 'a/#' matches 'a' as well: section 4.7.1.2
    if (depth >= levels.length) return false
    if (name !== '+' && name !== levels[depth]) return false
  }
  return wanted.length === levels.length
}

/** What makes a text unfit for a topic and a filter alike; null if nothing does. */
function textFault(text: string): string | null {
  if (text.length === 0) return 'it is empty' // [MQTT-4.7.3-1]
  let bytes = 0
  let levels = 1
  for (let i = 0; i < text.length && bytes <= topicBytesMax; i++) {
    const unit = text.charCodeAt(i)
    if (unit === 0) return 'it has a NUL character' // [MQTT-4.7.3-2] [MQTT-1.5.4-2]
    if (unit === slash) levels++
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800) bytes += 2
    else if (unit < 0xd800 || unit > 0xdfff) bytes += 3
    else if (!isPair(unit, text.charCodeAt(i + 1)))
      return 'it has half a surrogate pair' // [MQTT-1.5.4-1]
    else {
      bytes += 4
      i++
    }
  }
  if (bytes > topicBytesMax) return `it is longer than ${topicBytesMax} bytes` // [MQTT-4.7.3-3]
  if (levels > topicLevelsMax) return `it has more than ${topicLevelsMax} levels`
  return null
}

function isPair(high: number, low: number): boolean {
  // `low` is NaN at the end of the text.
  return high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff
}

function wildcardFault(filter: string): string | null {
  for (let i = 0; i < filter.length; i++) {
    const unit = filter.charCodeAt(i)
    if (unit !== plus && unit !== hash) continue
    const last = i === filter.length - 1
    const alone =
      (i === 0 || filter.charCodeAt(i - 1) === slash) && (last || filter.charCodeAt(i + 1) === slash)
    if (unit === plus && !alone) return "'+' is not alone in its level" // [MQTT-4.7.1-2]
    if (unit === hash && !(alone && last)) return "'#' is not alone in the last level" // [MQTT-4.7.1-1]
  }
  return null
}

/** As much of a text as fits a log line. */
function shown(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}… (${text.length} characters)`
}
