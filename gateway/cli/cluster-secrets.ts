// What keeps strangers out of the cluster, from the files that the options name: keys, and certificates for TLS. Read
// again when asked, so that they change without a stop. What is wrong in a file then is said, and what was
// read before stays in use.
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ClusterKeys } from '../../broker/cluster-keys.ts'
import type { Config } from '../../broker/config.ts'
import { ShoalError } from '../../broker/errors.ts'
import type { Log } from '../../broker/runtime/log.ts'
import { TlsCredentials, type TlsMaterial } from '../../broker/runtime/tls-credentials.ts'
import { Failure, systemCode } from './failure.ts'

type Places = Pick<
  Config,
  'clusterKey' | 'clusterKeyFile' | 'clusterTlsCert' | 'clusterTlsKey' | 'clusterTlsCa'
>

export class ClusterSecrets {
  /** Null of a node without a key. */
  readonly keys: ClusterKeys | null
  /** Null of a node whose links are not TLS. */
  readonly tls: TlsCredentials | null
  readonly #places: Places

  /** Throws `Failure` for a file that cannot be read, or holds something else. */
  constructor(places: Places) {
    const { clusterKey, clusterKeyFile, clusterTlsCert } = places
    this.#places = places
    if (clusterKeyFile !== '') this.keys = keysOf(clusterKeyFile)
    else this.keys = clusterKey.length > 0 ? new ClusterKeys(clusterKey) : null
    this.tls = clusterTlsCert === '' ? null : new TlsCredentials(readMaterial(places))
  }

  /** Whether there is a file to read again. */
  get hasFiles(): boolean {
    return this.#places.clusterKeyFile !== '' || this.tls !== null
  }

  /** Reads the files again, for links and packets from now on. A bad file changes nothing, and is an error of the log. */
  reload(log: Log): void {
    const { clusterKeyFile } = this.#places
    try {
      if (clusterKeyFile !== '') this.keys?.replaceBy(keysOf(clusterKeyFile))
      this.tls?.replace(readMaterial(this.#places))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      log.error({ error: error.message }, 'cluster keys and certificates not read again')
      return
    }
    log.info(
      { keys: this.keys?.ids ?? [], tls: this.tls !== null },
      'cluster keys and certificates read again'
    )
  }
}

function keysOf(path: string): ClusterKeys {
  try {
    return ClusterKeys.ofLines(read(path))
  } catch (error) {
    if (!(error instanceof ShoalError)) throw error
    throw new Failure(`The key file ${path} must hold ${String(error.fields['allowed'])}.`, 2, error)
  }
}

function readMaterial({ clusterTlsCert, clusterTlsKey, clusterTlsCa }: Places): TlsMaterial {
  const material = { cert: read(clusterTlsCert), key: read(clusterTlsKey), ca: read(clusterTlsCa) }
  try {
    createSecureContext(material)
  } catch (error) {
    const files = `${clusterTlsCert}, ${clusterTlsKey} and ${clusterTlsCa}`
    const reason = error instanceof Error ? error.message : String(error)
    throw new Failure(`The files ${files} are no certificate, its key and authorities: ${reason}.`, 2, error)
  }
  return material
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const code = systemCode(error)
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new Failure(`The file ${path} ${reason}.`, 2, error)
  }
}
