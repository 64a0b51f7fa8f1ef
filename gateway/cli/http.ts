// Asks a running node over HTTP.
import { word } from '../../broker/options/index.ts'
import { Failure, systemCode } from './failure.ts'

const TIMEOUT_MS = 5000

export const HTTP_URL_OPTION = word('http://127.0.0.1:8080', 'The HTTP address of any node.', {
  pattern: /^https?:\/\/[^\s/]+\/?$/,
  allowed: 'an address like http://127.0.0.1:8080'
})

/** The JSON that `path` answers with. Throws `Failure` if there is no answer, or one that says no. */
export async function getJson(url: string, path: string): Promise<unknown> {
  let response: Response
  let body: string
  try {
    response = await fetch(new URL(path, url), { signal: AbortSignal.timeout(TIMEOUT_MS) })
    body = await response.text()
  } catch (error) {
    throw new Failure(
      `${explain(error, url)} Is a node running there? --url takes another address.`,
      1,
      error
    )
  }
  const parsed = parseJson(body)
  if (response.ok && parsed !== undefined) return parsed
  const reason = messageOf(parsed) ?? (parsed === undefined ? 'it does not speak as Shoal does' : '')
  throw new Failure(`${url} answered ${response.status}${reason === '' ? '' : `: ${reason}`}.`)
}

function explain(error: unknown, url: string): string {
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return `No answer from ${url} in ${TIMEOUT_MS / 1000} s.`
  }
  return `Cannot reach ${url} (${systemCode(error) ?? 'no connection'}).`
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** `{ error: { message } }` is how the gateway says no. */
function messageOf(body: unknown): string | undefined {
  const error = isRecord(body) ? body['error'] : undefined
  const message = isRecord(error) ? error['message'] : undefined
  return typeof message === 'string' ? message : undefined
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
