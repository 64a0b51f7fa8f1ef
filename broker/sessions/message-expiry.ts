// The Message Expiry Interval among encoded properties of a PUBLISH: found, and written anew when a message has waited.
// The properties have been judged before; they are walked, not decoded.
// Source: MQTT 5.0, 2.2.2 and 3.3.2.3.3.

const MESSAGE_EXPIRY = 0x02

/** Seconds; -1: there is none. */
export function expiryOf(properties: Uint8Array): number {
  const at = placeOf(properties)
  if (at < 0) return -1
  return new DataView(properties.buffer, properties.byteOffset, properties.length).getUint32(at)
}

/** The same properties with `seconds` left; themselves if they have no expiry. [MQTT-3.3.2-6] */
export function withExpiry(properties: Uint8Array, seconds: number): Uint8Array {
  const at = placeOf(properties)
  if (at < 0) return properties
  const copy = new Uint8Array(properties)
  new DataView(copy.buffer).setUint32(at, seconds)
  return copy
}

/** Where the interval's four bytes begin; -1: nowhere. */
function placeOf(properties: Uint8Array): number {
  let at = 0
  while (at < properties.length) {
    const id = properties[at++]!
    if (id === MESSAGE_EXPIRY) return at + 4 <= properties.length ? at : -1
    at = behindValue(properties, at, id)
    if (at < 0) return -1
  }
  return -1
}

function behindValue(properties: Uint8Array, at: number, id: number): number {
  switch (id) {
    case 0x01: // payload format indicator
      return at + 1
    case 0x23: // topic alias
      return at + 2
    case 0x0b: // subscription identifier
      while (at < properties.length && properties[at]! > 127) at++
      return at + 1
    case 0x03: // content type
    case 0x08: // response topic
    case 0x09: // correlation data
      return behindString(properties, at)
    case 0x26: // user property
      return behindString(properties, behindString(properties, at))
    default:
      return -1
  }
}

function behindString(properties: Uint8Array, at: number): number {
  return at + 2 + ((properties[at] ?? 0) << 8) + (properties[at + 1] ?? 0)
}
