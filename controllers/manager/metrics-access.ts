import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { RestClient } from '../client/rest-client.js'
import type { Clock } from '../clock.js'
import type { AccessDecision } from '../health-server.js'

interface TokenReview extends KubeObject { status?: { authenticated?: boolean; user?: { username?: string; uid?: string; groups?: string[]; extra?: Record<string, string[]> } } }
interface SubjectAccessReview extends KubeObject { status?: { allowed?: boolean } }
type User = NonNullable<NonNullable<TokenReview['status']>['user']>

const anonymous: User = { username: 'system:anonymous', groups: ['system:unauthenticated'] }
/** k8s.io/apiserver's for delegated questions. */
const cacheMs = 10_000
const maxCached = 1024

/**
 * Asks the cluster whether the bearer of a request's token may GET its path (TokenReview and SubjectAccessReview), as every Kubernetes
 * component guards its metrics. Answers are kept for ten seconds, by a hash of the token, at most 1024.
 */
export function metricsAccess (client: RestClient, clock: Clock): (request: IncomingMessage) => Promise<AccessDecision> {
  const tokenReviews = client.resource<TokenReview>({ group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews' })
  const accessReviews = client.resource<SubjectAccessReview>({ group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' })
  const known = new Map<string, { readonly decision: AccessDecision; readonly untilMs: number }>()

  return async request => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const token = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    const key = createHash('sha256').update(`${path} ${token ?? ''}`).digest('base64')
    const found = known.get(key)
    if (found !== undefined && found.untilMs > clock.monotonicMs()) return found.decision
    const decision = await decide(path, token)
    known.delete(key)
    known.set(key, { decision, untilMs: clock.monotonicMs() + cacheMs })
    if (known.size > maxCached) known.delete(known.keys().next().value!)
    return decision
  }

  async function decide (path: string, token: string | undefined): Promise<AccessDecision> {
    const user = token === undefined ? anonymous : await userOf(token)
    if (user === undefined) return { allowed: false, code: 401, text: 'Unauthorized' }
    const { username = '', uid, groups, extra } = user
    const review = await accessReviews.create({
      apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {},
      spec: { user: username, ...(uid !== undefined && { uid }), ...(groups && { groups }), ...(extra && { extra }), nonResourceAttributes: { path, verb: 'get' } }
    })
    return review.status?.allowed === true ? { allowed: true } : { allowed: false, code: 403, text: `forbidden: User ${JSON.stringify(username)} cannot get path ${JSON.stringify(path)}` }
  }

  async function userOf (token: string): Promise<User | undefined> {
    const { status } = await tokenReviews.create({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec: { token } })
    return status?.authenticated === true ? status.user : undefined
  }
}
