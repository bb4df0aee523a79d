import { allUnauthenticated, anonymousUser, type Authenticator, type UserInfo } from './interfaces.js'

/** Everybody who offers no credential: system:anonymous in system:unauthenticated. */
export class AnonymousAuthenticator implements Authenticator {
  readonly #user: UserInfo = { name: anonymousUser, groups: [allUnauthenticated] }

  async authenticate (): Promise<UserInfo> {
    return this.#user
  }
}
