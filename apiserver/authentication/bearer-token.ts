import { headerValues, type AuthenticationRequest, type Authenticator, type UserInfo } from './interfaces.js'

const webSocketPrefix = 'base64url.bearer.authorization.k8s.io.'

/** Tells whose token it is; undefined if nobody's. Rejects if it cannot tell now. */
export type TokenVerifier = (token: string, signal: AbortSignal) => Promise<UserInfo | undefined>

/**
 * Reads the token of `Authorization: Bearer …` or of a WebSocket subprotocol and asks a verifier. Without one every token is a failed
 * credential: whoever sends a token must not be served as anonymous because tokens happen to be switched off.
 */
export class BearerTokenAuthenticator implements Authenticator {
  readonly #verify: TokenVerifier

  constructor (verify: TokenVerifier = async () => undefined) {
    this.#verify = verify
  }

  async authenticate (request: AuthenticationRequest): Promise<UserInfo | undefined> {
    const token = bearerToken(request.rawHeaders)
    if (token === undefined) return undefined
    const user = await this.#verify(token, request.signal)
    if (user === undefined) throw new Error('invalid bearer token')
    return user
  }
}

/** The token that a request carries, by the rules of k8s.io/apiserver's bearertoken and websocket authenticators. */
export function bearerToken (rawHeaders: readonly string[]): string | undefined {
  const [authorization] = headerValues(rawHeaders, 'Authorization')
  const parts = authorization?.trim().split(' ') ?? []
  if (parts.length > 1 && parts[0]!.toLowerCase() === 'bearer' && parts[1] !== '') return parts[1]
  for (const protocol of headerValues(rawHeaders, 'Sec-WebSocket-Protocol').flatMap(v => v.split(','))) {
    const name = protocol.trim()
    if (name.startsWith(webSocketPrefix) && name.length > webSocketPrefix.length) return Buffer.from(name.slice(webSocketPrefix.length), 'base64url').toString()
  }
  return undefined
}
