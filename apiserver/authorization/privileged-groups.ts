import { privilegedGroup } from '../authentication/interfaces.js'
import type { Attributes, AuthorizationResult, Authorizer } from './interfaces.js'

/** Allows everything to members of some groups, system:masters by default. */
export class PrivilegedGroupAuthorizer implements Authorizer {
  readonly #groups: ReadonlySet<string>

  constructor (groups: readonly string[] = [privilegedGroup]) {
    this.#groups = new Set(groups)
  }

  async authorize (attributes: Attributes): Promise<AuthorizationResult> {
    return { decision: attributes.user.groups.some(group => this.#groups.has(group)) ? 'allow' : 'noOpinion', reason: '' }
  }
}
