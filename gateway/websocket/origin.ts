// Whether a web page may use the gateway. Browsers let any page of any site connect to any WebSocket
// and post to any host, and say in `Origin` where the page is from: the check is the server's. Without
// it, every site that a developer visits could talk to the broker on the developer's machine.
import { isLoopback } from '../../broker/config.ts'

/**
 * Allowed are programs that are no browsers (no `Origin`), origins of the list (`*` is all), and pages of this host.
 * `host` is the header. On a listener that is only on loopback, a page of "this host" must be from a loopback name too:
 * else a foreign name that resolves to 127.0.0.1 would be this host (DNS rebinding).
 */
export function isOriginAllowed(
  origin: string,
  host: string,
  listed: readonly string[],
  listensOnLoopback: boolean
): boolean {
  if (origin === '') return true
  if (listed.includes('*') || listed.includes(origin)) return true
  const url = parse(origin)
  if (url === null || url.host.toLowerCase() !== withoutDefaultPort(host.toLowerCase(), url.protocol))
    return false
  return !listensOnLoopback || isLoopback(url.hostname.replace(/^\[|\]$/g, ''))
}

function parse(origin: string): URL | null {
  try {
    return new URL(origin)
  } catch {
    return null
  }
}

function withoutDefaultPort(host: string, protocol: string): string {
  const port = protocol === 'https:' ? ':443' : ':80'
  return host.endsWith(port) ? host.slice(0, -port.length) : host
}
