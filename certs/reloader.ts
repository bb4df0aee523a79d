import { createSecureContext } from 'node:tls'
import { CertificateError } from './errors.js'
import { FileWatcher, type FileContents } from './file-watcher.js'
import { parseCertificates, parseKeyPair } from './key-pair.js'

/** The texts of one consistent set of files. */
export interface ReloadedCertificates {
  /** Present when the reloader was given a pair. */
  readonly certificatePem: string | undefined
  readonly privateKeyPem: string | undefined
  /** The bundles of all CA files, joined; present when the reloader was given any. */
  readonly certificateAuthorityPem: string | undefined
}

export interface ReloaderOptions {
  readonly pair?: { readonly certificateFile: string; readonly keyFile: string } | undefined
  readonly certificateAuthorityFiles?: readonly string[] | undefined
  /** Called with every new consistent set. Remember to hand the CA bundle to `setSecureContext` every time: it forgets the old one. */
  readonly onReload: (certificates: ReloadedCertificates) => void | Promise<void>
  /** A new set that is not usable, named and explained; what was there before stays in use. */
  readonly onError: (error: CertificateError) => void
  readonly pollIntervalMs?: number | undefined
  /** How long a set may be inconsistent before it is reported: certificate and key are usually replaced one after the other. Default 1 s. */
  readonly graceMs?: number | undefined
  readonly settleMs?: number | undefined
}

/**
 * Follows certificate, key and CA files and hands over new contents only when they belong together. Works for files that are replaced or
 * rewritten and for the symbolic links of mounted Kubernetes Secrets.
 */
export class CertificateReloader {
  readonly #options: ReloaderOptions
  readonly #watcher: FileWatcher
  #current: ReloadedCertificates | undefined
  #contents: FileContents = new Map()
  #grace: NodeJS.Timeout | undefined

  constructor (options: ReloaderOptions) {
    this.#options = options
    this.#watcher = new FileWatcher({
      files: [...options.pair === undefined ? [] : [options.pair.certificateFile, options.pair.keyFile], ...options.certificateAuthorityFiles ?? []],
      onChange: contents => this.#changed(contents),
      onError: error => this.#options.onError(error instanceof CertificateError ? error : new CertificateError('Malformed', String(error), { cause: error })),
      ...(options.pollIntervalMs !== undefined && { pollIntervalMs: options.pollIntervalMs }),
      ...(options.settleMs !== undefined && { settleMs: options.settleMs })
    })
  }

  /**
   * Reads the files and begins to follow them.
   * @throws CertificateError Unreadable, Malformed or Mismatch: at the start a bad set is not tolerated
   */
  async start (): Promise<ReloadedCertificates> {
    const contents = await this.#watcher.start()
    try {
      return this.#current = this.#consistent(contents)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  /** Reads the files now instead of waiting for a notification. */
  async check (): Promise<void> {
    await this.#watcher.check()
  }

  async close (): Promise<void> {
    clearTimeout(this.#grace)
    await this.#watcher.close()
  }

  async #changed (contents: FileContents): Promise<void> {
    clearTimeout(this.#grace)
    this.#contents = contents
    let next: ReloadedCertificates
    try {
      next = this.#consistent(contents)
    } catch (error) {
      this.#reportAfterGrace(contents, error as CertificateError)
      return
    }
    if (next.certificatePem === this.#current?.certificatePem && next.privateKeyPem === this.#current?.privateKeyPem &&
      next.certificateAuthorityPem === this.#current?.certificateAuthorityPem) return
    await this.#options.onReload(next)
    this.#current = next
  }

  #reportAfterGrace (contents: FileContents, error: CertificateError): void {
    this.#grace = setTimeout(() => {
      if (this.#contents === contents) this.#options.onError(error)
    }, this.#options.graceMs ?? 1000).unref()
  }

  #consistent (contents: FileContents): ReloadedCertificates {
    const text = (file: string): string => {
      const content = contents.get(file)
      if (content === undefined) throw new CertificateError('Unreadable', `${file}: cannot be read; check that it exists and its mode`)
      return content
    }
    const { pair, certificateAuthorityFiles } = this.#options
    const bundles = certificateAuthorityFiles?.map(file => {
      parseCertificates(text(file), file)
      return text(file).trimEnd() + '\n'
    })
    let certificatePem: string | undefined
    let privateKeyPem: string | undefined
    if (pair !== undefined) {
      certificatePem = text(pair.certificateFile)
      privateKeyPem = text(pair.keyFile)
      parseKeyPair({ certificatePem, privateKeyPem }, pair.certificateFile, pair.keyFile)
      try {
        // OpenSSL has opinions beyond the format (key sizes, signature algorithms); better heard here than in the server.
        createSecureContext({ cert: certificatePem, key: privateKeyPem })
      } catch (cause) {
        throw new CertificateError('Malformed', `${pair.certificateFile}: OpenSSL refuses it (${(cause as Error).message})`, { cause })
      }
    }
    return { certificatePem, privateKeyPem, certificateAuthorityPem: bundles?.join('') }
  }
}
