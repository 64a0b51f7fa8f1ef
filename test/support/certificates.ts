// Certificates for tests of TLS, made anew by openssl: authorities, and what they sign. Gone with the scope.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsMaterial } from '../../broker/runtime/tls-credentials.ts'

/** Where they are; as `TlsMaterial` has them. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string
}

export class Certificates {
  readonly #folder = mkdtempSync(join(tmpdir(), 'shoal-tls-'))

  constructor(scope: { after(run: () => void): void }) {
    scope.after(() => rmSync(this.#folder, { recursive: true }))
  }

  /** An authority of that name; the names are this object's own. */
  authority(name: string): string {
    const subject = ['-subj', `/CN=${name}`, '-days', '2']
    const files = ['-keyout', this.#path(`${name}.key`), '-out', this.#path(`${name}.pem`)]
    openssl('req', '-x509', ...newKey, '-nodes', ...subject, ...files)
    return name
  }

  /** A certificate by an authority, of someone who trusts that authority, or another. */
  signed(name: string, by: string, trusts = by): CertificateFiles {
    const [key, request, cert] = [`${name}.key`, `${name}.csr`, `${name}.pem`].map(file => this.#path(file))
    openssl('req', ...newKey, '-nodes', '-subj', `/CN=${name}`, '-keyout', key!, '-out', request!)
    const authority = ['-CA', this.#path(`${by}.pem`), '-CAkey', this.#path(`${by}.key`), '-CAcreateserial']
    openssl('x509', '-req', '-in', request!, ...authority, '-days', '2', '-out', cert!)
    return { cert: cert!, key: key!, ca: this.#path(`${trusts}.pem`) }
  }

  #path(name: string): string {
    return join(this.#folder, name)
  }
}

export function materialOf({ cert, key, ca }: CertificateFiles): TlsMaterial {
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8'), ca: readFileSync(ca, 'utf8') }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
