import { parseCertificates } from '../../certs/key-pair.js'
import { CertificateReloader } from '../../certs/reloader.js'
import type { RequestHeaderConfig } from '../options/cluster-options.js'
import type { RequestHeaderSettings } from './request-header.js'

/** The front proxy of the `--requestheader-*` flags; its CA file is followed. */
export class RequestHeaderFile {
  readonly #config: RequestHeaderConfig
  readonly #reloader: CertificateReloader
  #settings: RequestHeaderSettings | undefined
  #pem = ''

  private constructor (config: RequestHeaderConfig, on: { readonly change: () => void; readonly error: (error: Error) => void }) {
    this.#config = config
    this.#reloader = new CertificateReloader({
      certificateAuthorityFiles: [config.clientCaFile],
      onReload: ({ certificateAuthorityPem }) => {
        this.#use(certificateAuthorityPem!)
        on.change()
      },
      onError: on.error
    })
  }

  /** @throws CertificateError naming the file */
  static async open (config: RequestHeaderConfig, on: { readonly change: () => void; readonly error: (error: Error) => void }): Promise<RequestHeaderFile> {
    const file = new RequestHeaderFile(config, on)
    file.#use((await file.#reloader.start()).certificateAuthorityPem!)
    return file
  }

  settings (): RequestHeaderSettings | undefined { return this.#settings }

  get pem (): string { return this.#pem }

  close (): Promise<void> { return this.#reloader.close() }

  #use (pem: string): void {
    const trimmed = (names: readonly string[]): string[] => names.map(name => name.trim())
    const { clientCaFile, allowedNames, usernameHeaders, uidHeaders, groupHeaders, extraHeaderPrefixes } = this.#config
    this.#pem = pem
    this.#settings = {
      authorities: parseCertificates(pem, clientCaFile),
      allowedNames,
      usernameHeaders: trimmed(usernameHeaders),
      uidHeaders: trimmed(uidHeaders),
      groupHeaders: trimmed(groupHeaders),
      extraHeaderPrefixes: trimmed(extraHeaderPrefixes)
    }
  }
}
