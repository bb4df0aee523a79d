import { NamespaceLifecycle } from '../admission/namespace-lifecycle.js'
import { ClusterAuthentication } from '../authentication/cluster-authentication.js'
import { TokenReviewer } from '../authentication/token-review.js'
import { SubjectAccessReviewAuthorizer } from '../authorization/subject-access-review.js'
import type { ApiserverConfig } from '../options/apiserver-options.js'
import type { ClusterCredentials } from '../options/cluster-options.js'
import { ClusterClient } from './client.js'
import { ClusterKinds } from './cluster-kinds.js'
import { credentialSource } from './credentials.js'

export interface ClusterOptions {
  readonly config: ApiserverConfig
  readonly userAgent: string
  /** Other client authorities are in force. */
  readonly onAuthoritiesChange: () => void
  /** Told of every TokenReview (authn) and SubjectAccessReview (authz) that was sent, for metrics. */
  readonly observe?: ((what: 'authn' | 'authz', code: string, seconds: number) => void) | undefined
  readonly log: { warn: (fields: object, message: string) => void; error: (fields: object, message: string) => void }
}

/** The cluster that a server belongs to: who its users are and what they may do is asked there, and its namespaces are known. */
export class Cluster {
  /** Absent with `--authentication-skip-lookup`, or when flags say everything. */
  readonly authentication: ClusterAuthentication | undefined
  readonly tokens: TokenReviewer
  readonly authorizer: SubjectAccessReviewAuthorizer
  readonly lifecycle: NamespaceLifecycle
  /** For reading what the cluster has. */
  readonly core: ClusterClient
  /** The resources that the cluster serves. */
  readonly kinds: ClusterKinds
  /** Told when those are others. */
  onKindsChange: () => void = () => {}
  readonly #clients: readonly ClusterClient[]

  private constructor (parts: { authentication: ClusterAuthentication | undefined; tokens: TokenReviewer; authorizer: SubjectAccessReviewAuthorizer; lifecycle: NamespaceLifecycle; core: ClusterClient; log: ClusterOptions['log']; clients: readonly ClusterClient[] }) {
    this.authentication = parts.authentication
    this.tokens = parts.tokens
    this.authorizer = parts.authorizer
    this.lifecycle = parts.lifecycle
    this.core = parts.core
    this.kinds = new ClusterKinds({
      client: parts.core,
      onChange: () => { this.onKindsChange() },
      onError: error => { parts.log.warn({ err: error }, 'the kinds of the cluster cannot be read; trying again') }
    })
    this.#clients = parts.clients
  }

  /**
   * Reads the credentials and what the cluster publishes about authentication, and begins to follow it and the namespaces.
   * @throws Error naming the file that is wrong, or that the cluster cannot be asked (unless `--authentication-tolerate-lookup-failure`)
   */
  static async join (options: ClusterOptions): Promise<Cluster> {
    const { config, log, observe, onAuthoritiesChange, userAgent } = options
    const { authentication, authorization } = config
    const clients = new Map<string, ClusterClient>()
    const clientOf = async (credentials: ClusterCredentials): Promise<ClusterClient> => {
      const key = JSON.stringify(credentials)
      let client = clients.get(key)
      if (client !== undefined) return client
      clients.set(key, client = new ClusterClient({ credentials: credentialSource(credentials), userAgent }))
      await client.start()
      return client
    }
    try {
      const { core, authentication: forAuthentication, authorization: forAuthorization } = config.cluster!
      const authenticating = await clientOf(forAuthentication)
      const authorizing = await clientOf(forAuthorization)
      const reading = await clientOf(core)
      const lifecycle = new NamespaceLifecycle({ client: reading, onError: error => { log.warn({ err: error }, 'namespaces cannot be followed; trying again') } })
      const lookup = !authentication.skipLookup && (authentication.clientCaFile === undefined || authentication.requestHeader === undefined)
      const published = lookup
        ? new ClusterAuthentication({ client: authenticating, onChange: onAuthoritiesChange, onError: error => { log.warn({ err: error }, 'the authentication configuration of the cluster cannot be followed; trying again') } })
        : undefined
      try {
        await published?.load()
      } catch (error) {
        if (!authentication.tolerateLookupFailure) throw error
        log.warn({ err: error }, 'the authentication configuration of the cluster cannot be read; going on without it may treat all requests as anonymous')
      }
      published?.start()
      lifecycle.start()
      return new Cluster({
        authentication: published,
        tokens: new TokenReviewer({ client: authenticating, cacheTtlMs: authentication.tokenCacheTtlMs, observe: (code, seconds) => { observe?.('authn', code, seconds) } }),
        authorizer: new SubjectAccessReviewAuthorizer({ client: authorizing, allowCacheTtlMs: authorization.allowCacheTtlMs, denyCacheTtlMs: authorization.denyCacheTtlMs, observe: (code, seconds) => { observe?.('authz', code, seconds) } }),
        lifecycle,
        core: reading,
        log,
        clients: [...clients.values()]
      })
    } catch (error) {
      for (const client of clients.values()) client.close()
      throw error
    }
  }

  /** What is not known yet, for readyz. */
  unsynced (): string[] {
    return this.lifecycle.hasSynced ? [] : ['namespaces of the cluster']
  }

  async close (): Promise<void> {
    await Promise.all([this.authentication?.stop(), this.lifecycle.stop(), this.kinds.stop()])
    for (const client of this.#clients) client.close()
  }
}
