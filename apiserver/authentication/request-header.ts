import type { X509Certificate } from 'node:crypto'
import { CertificateVerifier } from './certificate-verifier.js'
import { commonName } from './client-certificate.js'
import { headerText, headerValues, type AuthenticationRequest, type Authenticator, type UserInfo } from './interfaces.js'
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
    const verified = this.#verifier.verify(request.peerCertificates)
    const settings = this.#settings()
    if (verified === undefined || settings === undefined) return undefined
    if (settings.allowedNames.length > 0 && !settings.allowedNames.includes(verified.value)) throw new Error(`x509: subject with cn=${verified.value} is not in the allowed list`)
    return userOf(request.rawHeaders, settings)
  }
}

/** The user of the headers; undefined if no username header has a value. */
function userOf (rawHeaders: readonly string[], settings: RequestHeaderSettings): UserInfo | undefined {
  const first = (names: readonly string[]): string | undefined => names.map(name => headerValues(rawHeaders, name)[0]).find(value => value)
  const name = first(settings.usernameHeaders)
  if (name === undefined) return undefined
  const uid = first(settings.uidHeaders)
  const extra = extraOf(rawHeaders, settings.extraHeaderPrefixes)
  return {
    name: headerText(name),
    ...(uid !== undefined && { uid: headerText(uid) }),
    groups: settings.groupHeaders.flatMap(header => headerValues(rawHeaders, header)).filter(group => group !== '').map(headerText),
    ...(extra !== undefined && { extra })
  }
}

/** Every header that begins with a prefix: the rest of its name, lower-cased and percent-decoded, is a key; repeated ones are its values. */
function extraOf (rawHeaders: readonly string[], prefixes: readonly string[]): Record<string, string[]> | undefined {
  let extra: Record<string, string[]> | undefined
  for (const prefix of prefixes) {
    const wanted = prefix.toLowerCase()
    for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]!.toLowerCase()
      if (!name.startsWith(wanted)) continue
      // Keys come from a client: `__proto__` is one like any other.
      extra ??= Object.create(null) as Record<string, string[]>
      ;(extra[percentDecode(name.slice(wanted.length))] ??= []).push(headerText(rawHeaders[i + 1]!))
    }
  }
  return extra
}
