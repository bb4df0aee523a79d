import { newUnauthorized } from '../../registry/meta/status-error.js'
import { allAuthenticated, allUnauthenticated, type AuthenticationRequest, type Authenticator, type UserInfo } from './interfaces.js'

export interface AuthenticatorChainOptions {
  /** Asked in this order; the first that knows the user decides. */
  readonly authenticators: readonly Authenticator[]
  /** Asked when no credential was offered at all. Absent: such a request is unauthorized. */
  readonly anonymous?: Authenticator | undefined
}

/**
 * Asks authenticators in turn. A bad credential does not end the search, because the next authenticator may know it (a front proxy's
 * certificate is unknown to the client CA), but it rules out being anonymous. Everyone found gets the group system:authenticated, as
 * k8s.io/apiserver's authenticatorfactory arranges it.
 */
export class AuthenticatorChain {
  readonly #options: AuthenticatorChainOptions

  constructor (options: AuthenticatorChainOptions) {
    this.#options = options
  }

  /** @throws StatusError Unauthorized; its cause says why and must not reach the client */
  async authenticate (request: AuthenticationRequest): Promise<UserInfo> {
    const failures: unknown[] = []
    for (const authenticator of this.#options.authenticators) {
      try {
        const user = await authenticator.authenticate(request)
        if (user !== undefined) return withAuthenticatedGroup(user)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 0) {
      const user = await this.#options.anonymous?.authenticate(request)
      if (user !== undefined) return user
    }
    const error = newUnauthorized()
    if (failures.length > 0) error.cause = failures.length === 1 ? failures[0] : new AggregateError(failures)
    throw error
  }
}

/** Appends system:authenticated once, and never to someone who is known to be unauthenticated. */
function withAuthenticatedGroup (user: UserInfo): UserInfo {
  if (user.groups.includes(allAuthenticated) || user.groups.includes(allUnauthenticated)) return user
  return { ...user, groups: [...user.groups, allAuthenticated] }
}
