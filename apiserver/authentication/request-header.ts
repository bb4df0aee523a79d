import type { X509Certificate } from 'node:crypto'
import { CertificateVerifier } from './certificate-verifier.js'
import { commonName } from './client-certificate.js'
import { headerText, type AuthenticationRequest, type Authenticator, type UserInfo } from './interfaces.js'
import { percentDecode } from './percent-decode.js'

/** Whose word is taken for who a user is, and in which headers. */
export interface RequestHeaderSettings {
  readonly authorities: readonly X509Certificate[]
  /** Common names of the proxy's certificate; empty: any. */
  readonly allowedNames: readonly string[]
  readonly usernameHeaders: readonly string[]
  readonly uidHeaders: readonly string[]
  readonly groupHeaders: readonly string[]
  readonly extraHeaderPrefixes: readonly string[]
}

export interface RequestHeaderOptions {
  /** As of now; asked for every request. Undefined: there is no front proxy. */
  readonly settings: () => RequestHeaderSettings | undefined
  readonly now?: (() => number) | undefined
}

/**
 * Users named by an authenticating front proxy, which the aggregator of kube-apiserver is (k8s.io/apiserver `headerrequest`). Its
 * certificate must lead to the front proxy's own authority, be one for clients and carry an allowed name; only then are the headers read.
 * Without a certificate they are just headers that anybody can send, and say nothing.
 */
export class RequestHeaderAuthenticator implements Authenticator {
  readonly #settings: () => RequestHeaderSettings | undefined
  readonly #verifier: CertificateVerifier<string>

  constructor (options: RequestHeaderOptions) {
    this.#settings = options.settings
    this.#verifier = new CertificateVerifier({ authorities: () => options.settings()?.authorities, read: commonName, now: options.now })
  }

  /** @throws CertificateError, Error for a certificate that is not the proxy's */
  async authenticate (request: AuthenticationRequest): Promise<UserInfo | undefined> {
    const settings = this.#trusting(request.peerCertificates)
    return settings && userOf(request.rawHeaders, settings)
  }

  /** Whether a connection with these certificates is the front proxy's. */
  isProxy (peerCertificates: readonly X509Certificate[]): boolean {
    try {
      return this.#trusting(peerCertificates) !== undefined
    } catch {
      return false
    }
  }

  /** The settings if the certificates are the proxy's; undefined if there is no certificate or no proxy. */
  #trusting (peerCertificates: readonly X509Certificate[]): RequestHeaderSettings | undefined {
    const verified = this.#verifier.verify(peerCertificates)
    const settings = this.#settings()
    if (verified === undefined || settings === undefined) return undefined
    if (settings.allowedNames.length > 0 && !settings.allowedNames.includes(verified.value)) throw new Error(`x509: subject with cn=${verified.value} is not in the allowed list`)
    return settings
  }
}

/** The user of the headers; undefined if no username header has a value. */
function userOf (rawHeaders: readonly string[], settings: RequestHeaderSettings): UserInfo | undefined {
  const names = lowerCased(rawHeaders)
  const values = (header: string): string[] => {
    const wanted = header.toLowerCase()
    const found: string[] = []
    for (let i = names.indexOf(wanted); i >= 0; i = names.indexOf(wanted, i + 1)) found.push(headerText(rawHeaders[2 * i + 1]!))
    return found
  }
  const first = (headers: readonly string[]): string | undefined => {
    for (const header of headers) {
      const [value] = values(header)
      if (value) return value
    }
    return undefined
  }
  const name = first(settings.usernameHeaders)
  if (name === undefined) return undefined
  const uid = first(settings.uidHeaders)
  const extra = extraOf(names, rawHeaders, settings.extraHeaderPrefixes)
  return {
    name,
    ...(uid !== undefined && { uid }),
    groups: settings.groupHeaders.flatMap(values).filter(group => group !== ''),
    ...(extra !== undefined && { extra })
  }
}

function lowerCased (rawHeaders: readonly string[]): string[] {
  const names: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) names.push(rawHeaders[i]!.toLowerCase())
  return names
}

/** Every header that begins with a prefix: the rest of its name, lower-cased and percent-decoded, is a key; repeated ones are its values. */
function extraOf (names: readonly string[], rawHeaders: readonly string[], prefixes: readonly string[]): Record<string, string[]> | undefined {
  let extra: Record<string, string[]> | undefined
  for (const prefix of prefixes) {
    const wanted = prefix.toLowerCase()
    for (const [i, name] of names.entries()) {
      if (!name.startsWith(wanted)) continue
      // Keys come from a client: `__proto__` is one like any other.
      extra ??= Object.create(null) as Record<string, string[]>
      ;(extra[percentDecode(name.slice(wanted.length))] ??= []).push(headerText(rawHeaders[2 * i + 1]!))
    }
  }
  return extra
}
