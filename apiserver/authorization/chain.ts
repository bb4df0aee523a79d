import type { Attributes, AuthorizationResult, Authorizer, Caller } from './interfaces.js'

/**
 * Asks authorizers in turn; the first that allows or denies decides (k8s.io/apiserver `authorization/union`). If none does, the reasons of
 * all are joined, and if one of them failed, so does the chain: an unknown answer is not a refusal.
 */
export class AuthorizerChain implements Authorizer {
  readonly #authorizers: readonly Authorizer[]

  constructor (authorizers: readonly Authorizer[]) {
    this.#authorizers = authorizers
  }

  async authorize (attributes: Attributes, caller?: Caller): Promise<AuthorizationResult> {
    const reasons: string[] = []
    const errors: unknown[] = []
    for (const authorizer of this.#authorizers) {
      try {
        const result = await authorizer.authorize(attributes, caller)
        if (result.decision !== 'noOpinion') return result
        if (result.reason !== '') reasons.push(result.reason)
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, `[${errors.map(e => e instanceof Error ? e.message : String(e)).join(', ')}]`)
    return { decision: 'noOpinion', reason: reasons.join('\n') }
  }
}
