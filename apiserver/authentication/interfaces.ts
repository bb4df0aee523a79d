import type { X509Certificate } from 'node:crypto'

/** Who makes a request (`authentication.k8s.io/v1` UserInfo). */
export interface UserInfo {
  readonly name: string
  readonly uid?: string | undefined
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined
}

/** What an authenticator may look at. Nothing of it is the body: authentication runs before a body is read. */
export interface AuthenticationRequest {
  /**
   * Names and values in turn, as `IncomingMessage.rawHeaders`. Not `headers`: that joins repeated headers with commas, and two groups
   * become one wrong group.
   */
  readonly rawHeaders: readonly string[]
  /** What the client sent in the TLS handshake, its own certificate first; empty without one. Not verified by anyone yet. */
  readonly peerCertificates: readonly X509Certificate[]
  readonly signal: AbortSignal
}

/**
 * Answers who makes a request. Resolves to undefined when the request carries nothing that this authenticator understands ("no opinion"),
 * and rejects when it does but the credential is bad. An authenticator must not look at the request's path or verb.
 */
export interface Authenticator {
  authenticate (request: AuthenticationRequest): Promise<UserInfo | undefined>
}

/** Groups and names that Kubernetes gives a meaning (k8s.io/apiserver `user` package). */
export const allAuthenticated = 'system:authenticated'
export const allUnauthenticated = 'system:unauthenticated'
export const anonymousUser = 'system:anonymous'
export const privilegedGroup = 'system:masters'
export const credentialIdKey = 'authentication.kubernetes.io/credential-id'

/** Every value of a header, in order; the name in any case. */
export function headerValues (rawHeaders: readonly string[], name: string): string[] {
  const wanted = name.toLowerCase()
  const values: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) if (rawHeaders[i]!.toLowerCase() === wanted) values.push(rawHeaders[i + 1]!)
  return values
}

/** A header's value as text: Node hands out one character per byte, clients send UTF-8. */
export const headerText = (value: string): string => /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString() : value
