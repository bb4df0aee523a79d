import type { Attributes, AuthorizationResult, Authorizer } from './interfaces.js'

/**
 * Allows some paths to everybody, whatever the verb; by default the health endpoints, but not what is below them
 * (`--authorization-always-allow-paths` of k8s.io/apiserver). A path that ends in `*` allows everything that begins with it.
 */
export class AlwaysAllowPathsAuthorizer implements Authorizer {
  readonly #paths: ReadonlySet<string>
  readonly #prefixes: readonly string[]

  constructor (paths: readonly string[] = ['/healthz', '/livez', '/readyz']) {
    const normal = paths.map(path => path.replace(/^\//, ''))
    this.#paths = new Set(normal.filter(path => !path.endsWith('*')))
    this.#prefixes = normal.filter(path => path.endsWith('*')).map(path => path.slice(0, -1))
  }

  async authorize (attributes: Attributes): Promise<AuthorizationResult> {
    const path = attributes.path.replace(/^\//, '')
    const allowed = !attributes.resourceRequest && (this.#paths.has(path) || this.#prefixes.some(prefix => path.startsWith(prefix)))
    return { decision: allowed ? 'allow' : 'noOpinion', reason: '' }
  }
}
