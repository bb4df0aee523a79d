import { createHmac, randomBytes } from 'node:crypto'
import type { ClusterClient, ClusterRequest } from '../cluster/client.js'
import { ExpiringCache } from '../cluster/expiring-cache.js'
import { retry } from '../cluster/retry.js'
import type { UserInfo } from './interfaces.js'

export interface TokenReviewOptions {
  readonly client: ClusterClient
  /** `--authentication-token-webhook-cache-ttl`, for good and bad tokens. */
  readonly cacheTtlMs: number
  /** All tries together. Default 10 s. */
  readonly timeoutMs?: number | undefined
  /** Default 32768 tokens. */
  readonly cacheSize?: number | undefined
  readonly retryDelayMs?: number | undefined
  /** Told of every request to the cluster, for metrics. */
  readonly observe?: ClusterRequest['observe']
  readonly now?: (() => number) | undefined
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean
    readonly error?: string
    readonly user?: { readonly username?: string; readonly uid?: string; readonly groups?: readonly string[]; readonly extra?: Readonly<Record<string, readonly string[]>> }
  }
}

/**
 * Asks the cluster whose token it is (`authentication.k8s.io/v1` TokenReview; k8s.io/apiserver `token/webhook` and `token/cache`). Answers
 * are kept by a keyed hash, so that no token stays in memory. As upstream, an answer with an error text counts as a failure and is not
 * kept: the cluster may have been unable to tell.
 */
export class TokenReviewer {
  readonly #options: TokenReviewOptions
  readonly #cache: ExpiringCache<{ readonly user: UserInfo | undefined }>
  readonly #key = randomBytes(32)

  constructor (options: TokenReviewOptions) {
    this.#options = options
    this.#cache = new ExpiringCache({ size: options.cacheSize ?? 32_768, now: options.now })
  }

  get cached (): number { return this.#cache.size }

  /** @returns undefined for a token of nobody @throws Error if the cluster says why it is bad, or cannot be asked */
  async verify (token: string, signal?: AbortSignal): Promise<UserInfo | undefined> {
    const key = createHmac('sha256', this.#key).update(token).digest('base64')
    const kept = this.#cache.get(key)
    return (kept ?? await this.#cache.ask(key, async () => ({ value: { user: await this.#review(token) }, ttlMs: this.#options.cacheTtlMs }), signal)).user
  }

  /** The question is everybody's who has this token: it does not end when the one who asked first leaves. */
  async #review (token: string): Promise<UserInfo | undefined> {
    const { client, observe, retryDelayMs, timeoutMs = 10_000 } = this.#options
    const signal = AbortSignal.timeout(timeoutMs)
    const body = JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', metadata: {}, spec: { token }, status: { user: {} } })
    const { status } = await retry(
      () => client.json<TokenReview>({ method: 'POST', path: '/apis/authentication.k8s.io/v1/tokenreviews', body, signal, timeoutMs, observe }),
      { signal, ...(retryDelayMs !== undefined && { delayMs: retryDelayMs }) }
    )
    if (status?.authenticated !== true) {
      if (status?.error) throw new Error(status.error)
      return undefined
    }
    const { username = '', uid, groups = [], extra } = status.user ?? {}
    return { name: username, ...(uid && { uid }), groups, ...(extra && { extra }) }
  }
}
