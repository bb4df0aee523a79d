import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, rootCertificates } from 'node:tls'
import { StorageError } from '../errors.js'
import type { Etcd3StorageOptions } from './options.js'

/** What the etcd client wants to know for TLS. */
export interface TlsCredentials {
  readonly rootCertificate: Buffer
  readonly privateKey?: Buffer
  readonly certChain?: Buffer
}

type TlsPaths = Pick<Etcd3StorageOptions, 'caFile' | 'certFile' | 'keyFile'>

/**
 * The PEM files of a client. Files are polled by stat, which follows the symbolic links that a Kubernetes Secret volume swaps; inotify
 * does not. A set that does not fit together (a rotation caught half-way) is ignored until it does.
 */
export class TlsFiles {
  readonly #paths: TlsPaths
  #credentials: TlsCredentials
  #stamp: string
  #timer: NodeJS.Timeout | undefined

  private constructor (paths: TlsPaths, credentials: TlsCredentials, stamp: string) {
    this.#paths = paths
    this.#credentials = credentials
    this.#stamp = stamp
  }

  /** Reads the files; undefined if none is named. @throws StorageError Unavailable if one cannot be read or they do not fit together */
  static async load (paths: TlsPaths): Promise<TlsFiles | undefined> {
    if (paths.caFile === undefined && paths.certFile === undefined && paths.keyFile === undefined) return undefined
    if ((paths.certFile === undefined) !== (paths.keyFile === undefined)) throw new StorageError('Unavailable', 'the etcd client certificate and its key must be given together')
    try {
      const stamp = await stampOf(paths)
      return new TlsFiles(paths, await read(paths), stamp)
    } catch (error) {
      const files = [paths.caFile, paths.certFile, paths.keyFile].filter(file => file !== undefined)
      throw new StorageError('Unavailable', `the TLS files for etcd (${files.join(', ')}) cannot be used: ${(error as Error).message}`, { cause: error })
    }
  }

  get credentials (): TlsCredentials {
    return this.#credentials
  }

  /** Calls back after every change of the files, until `close`. */
  watch (intervalMs: number, changed: () => void): void {
    const look = async (): Promise<void> => {
      const stamp = await stampOf(this.#paths)
      if (stamp === this.#stamp) return
      const credentials = await read(this.#paths)
      if (this.#timer === undefined) return
      this.#credentials = credentials
      this.#stamp = stamp
      changed()
    }
    // A file that is missing or does not fit is looked at again at the next tick; the old content stays in use until then.
    this.#timer = setInterval(() => { look().catch(() => undefined) }, intervalMs)
    this.#timer.unref()
  }

  close (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

async function read ({ caFile, certFile, keyFile }: TlsPaths): Promise<TlsCredentials> {
  const rootCertificate = caFile === undefined ? Buffer.from(rootCertificates.join('\n')) : await readFile(caFile)
  const credentials = certFile === undefined || keyFile === undefined
    ? { rootCertificate }
    : { rootCertificate, certChain: await readFile(certFile), privateKey: await readFile(keyFile) }
  // Throws if something is not PEM or the key is not the certificate's.
  createSecureContext({ ca: credentials.rootCertificate, ...('certChain' in credentials && { cert: credentials.certChain, key: credentials.privateKey }) })
  return credentials
}

async function stampOf (paths: TlsPaths): Promise<string> {
  const parts: string[] = []
  for (const file of [paths.caFile, paths.certFile, paths.keyFile]) {
    if (file === undefined) continue
    const { ino, mtimeMs, size } = await stat(file)
    parts.push(`${ino} ${mtimeMs} ${size}`)
  }
  return parts.join(', ')
}
