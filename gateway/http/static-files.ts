// The page and the client, read into memory at the start: what is not in the table is not there, so no
// path can lead out of it.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { Answer } from './respond.ts'

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml'
}

/** Only what this host serves may run in its pages; nobody may frame them. */
const PAGE_POLICY =
  "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

interface StaticFile {
  readonly type: string
  readonly content: Buffer
  readonly etag: string
}

export class StaticFiles {
  readonly #files = new Map<string, StaticFile>()

  /** Reads the files of a folder, without its folders, whose type is known. A folder that is missing is empty. */
  add(prefix: string, folder: URL): void {
    for (const name of namesIn(folder)) {
      const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]
      if (type === undefined) continue
      const content = readFileSync(new URL(name, folder))
      const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`
      this.#files.set(`${prefix}${name}`, { type, content, etag })
      if (name === 'index.html') this.#files.set(prefix, { type, content, etag })
    }
  }

  has(path: string): boolean {
    return this.#files.has(path)
  }

  /** The file at `path`, or that the client has it. There is one. */
  answer(path: string, ifNoneMatch: string): Answer {
    const { type, content, etag } = this.#files.get(path)!
    const headers = {
      'cache-control': 'no-cache',
      etag,
      'content-security-policy': PAGE_POLICY,
      'referrer-policy': 'no-referrer'
    }
    if (ifNoneMatch === etag) return { status: '304 Not Modified', type, body: '', headers }
    return { status: '200 OK', type, body: content, headers }
  }
}

function namesIn(folder: URL): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap(entry => (entry.isFile() ? [entry.name] : []))
  } catch {
    return []
  }
}
