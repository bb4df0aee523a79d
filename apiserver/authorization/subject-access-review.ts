import type { ClusterClient, ClusterRequest } from '../cluster/client.js'
import { ExpiringCache } from '../cluster/expiring-cache.js'
import { retry } from '../cluster/retry.js'
import type { Attributes, AuthorizationResult, Authorizer, Caller } from './interfaces.js'

export interface SubjectAccessReviewOptions {
  readonly client: ClusterClient
  /** `--authorization-webhook-cache-authorized-ttl` */
  readonly allowCacheTtlMs: number
  /** `--authorization-webhook-cache-unauthorized-ttl` */
  readonly denyCacheTtlMs: number
  /** Of one try. Default 10 s. */
  readonly timeoutMs?: number | undefined
  /** Default 8192 answers. */
  readonly cacheSize?: number | undefined
  readonly retryDelayMs?: number | undefined
  /** Told of every request to the cluster, for metrics. */
  readonly observe?: ClusterRequest['observe']
  readonly now?: (() => number) | undefined
}

interface SubjectAccessReview { readonly status?: { readonly allowed?: boolean; readonly denied?: boolean; readonly reason?: string } }

/** Attributes that a client can make long are not worth a place in the cache from this length on (upstream's maxControlledAttrCacheSize). */
const maxCachedLength = 10_000

/**
 * Asks the cluster whether a user may do something (`authorization.k8s.io/v1` SubjectAccessReview; k8s.io/apiserver
 * `plugin/pkg/authorizer/webhook`). Answers are kept by the whole question: user, groups, extra, attributes and selectors.
 */
export class SubjectAccessReviewAuthorizer implements Authorizer {
  readonly #options: SubjectAccessReviewOptions
  readonly #cache: ExpiringCache<AuthorizationResult>

  constructor (options: SubjectAccessReviewOptions) {
    this.#options = options
    this.#cache = new ExpiringCache({ size: options.cacheSize ?? 8192, now: options.now })
  }

  get cached (): number { return this.#cache.size }

  /** @throws ClusterError if the cluster cannot be asked; the signal's reason */
  async authorize (attributes: Attributes, caller?: Caller): Promise<AuthorizationResult> {
    const key = keyOf(attributes)
    const kept = this.#cache.get(key)
    if (kept !== undefined) return kept
    const { allowCacheTtlMs, denyCacheTtlMs } = this.#options
    return this.#cache.ask(key, async () => {
      const value = await this.#review(specOf(attributes))
      return { value, ttlMs: !cacheable(attributes) ? 0 : value.decision === 'allow' ? allowCacheTtlMs : denyCacheTtlMs }
    }, caller?.signal)
  }

  /** The question may be several callers': it does not end when the one who asked first leaves. */
  async #review (spec: string): Promise<AuthorizationResult> {
    const { client, observe, retryDelayMs, timeoutMs } = this.#options
    const body = `{"kind":"SubjectAccessReview","apiVersion":"authorization.k8s.io/v1","metadata":{},"spec":${spec},"status":{"allowed":false}}`
    const { status = {} } = await retry(
      () => client.json<SubjectAccessReview>({ method: 'POST', path: '/apis/authorization.k8s.io/v1/subjectaccessreviews', body, timeoutMs, observe }),
      retryDelayMs === undefined ? {} : { delayMs: retryDelayMs }
    )
    const reason = status.reason ?? ''
    if (status.denied === true && status.allowed === true) throw new Error('webhook subject access review returned both allow and deny response')
    return { decision: status.denied === true ? 'deny' : status.allowed === true ? 'allow' : 'noOpinion', reason }
  }
}

/** Everything of the question as one text: each part with its length, so that no two questions look alike whatever is in the parts. */
function keyOf (attributes: Attributes): string {
  const { user, verb } = attributes
  let key = `${part(user.name)}${part(user.uid ?? '')}${user.groups.length};`
  for (const group of user.groups) key += part(group)
  for (const name in user.extra) {
    const values = user.extra[name]!
    key += `${part(name)}${values.length};`
    for (const value of values) key += part(value)
  }
  if (!attributes.resourceRequest) return `${key} path${part(verb)}${part(attributes.path)}`
  const { namespace, apiGroup, apiVersion, resource, subresource, name, fieldSelector, labelSelector } = attributes
  key += ` resource${part(verb)}${part(namespace)}${part(apiGroup)}${part(apiVersion)}${part(resource)}${part(subresource)}${part(name)}`
  return (fieldSelector?.length ?? 0) + (labelSelector?.length ?? 0) === 0 ? key : key + JSON.stringify([fieldSelector ?? [], labelSelector ?? []])
}

const part = (text: string): string => `${text.length}:${text}`

/** The spec of the review as JSON. */
function specOf (attributes: Attributes): string {
  const { user, verb } = attributes
  const spec: Record<string, unknown> = {}
  if (attributes.resourceRequest) {
    const { namespace, apiGroup, apiVersion, resource, subresource, name, fieldSelector, labelSelector } = attributes
    spec['resourceAttributes'] = {
      ...(namespace !== '' && { namespace }),
      verb,
      group: apiGroup,
      version: apiVersion,
      resource,
      ...(subresource !== '' && { subresource }),
      ...(name !== '' && { name }),
      ...(fieldSelector !== undefined && fieldSelector.length > 0 && { fieldSelector: { requirements: fieldSelector } }),
      ...(labelSelector !== undefined && labelSelector.length > 0 && { labelSelector: { requirements: labelSelector } })
    }
  } else {
    spec['nonResourceAttributes'] = { path: attributes.path, verb }
  }
  spec['user'] = user.name
  if (user.groups.length > 0) spec['groups'] = user.groups
  if (user.extra !== undefined) spec['extra'] = user.extra
  if (user.uid) spec['uid'] = user.uid
  return JSON.stringify(spec)
}

function cacheable (a: Attributes): boolean {
  let length = a.verb.length + a.path.length
  if (a.resourceRequest) {
    length += a.namespace.length + a.apiGroup.length + a.apiVersion.length + a.resource.length + a.subresource.length + a.name.length
    // Upstream leaves selectors out; ours are bounded like the rest.
    for (const r of [...a.labelSelector ?? [], ...a.fieldSelector ?? []]) length += r.key.length + (r.values ?? []).reduce((sum, v) => sum + v.length, 0)
  }
  return length < maxCachedLength
}
