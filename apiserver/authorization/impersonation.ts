import { fieldErrorText, invalid } from '../../registry/meta/field-error.js'
import { isDns1123Subdomain } from '../../registry/meta/names.js'
import { isReason, StatusError } from '../../registry/meta/status-error.js'
import { allAuthenticated, allUnauthenticated, anonymousUser, privilegedGroup, type UserInfo } from '../authentication/interfaces.js'
import { forbiddenError, type Attributes, type Authorizer, type ResourceAttributes } from './interfaces.js'
import { nodeOf, serviceAccountGroups, serviceAccountOf } from './service-account-name.js'

/** Who a request may act as. */
export interface Impersonated {
  readonly user: UserInfo
  /** The right that allowed it, e.g. `impersonate:user-info`; empty for the old `impersonate`. For the audit log. */
  readonly constraint: string
}

interface Mode {
  /** `impersonate:<mode>` on the user and `impersonate-on:<mode>:<verb>` on what is requested; absent: the old verb `impersonate`. */
  readonly name?: string
  readonly applies: (wanted: UserInfo, requestor: UserInfo) => boolean
}

const authenticationGroup = 'authentication.k8s.io'
/** From so many groups or extra values on, one question about `*` may save the others. */
const many = 4
const rememberedUsers = 10_000

const onlyName = (user: UserInfo): boolean => user.uid === undefined && user.groups.length === 0 && user.extra === undefined

/** In the order in which they are tried: the narrow ones first. */
const modes: readonly Mode[] = [
  { name: 'associated-node', applies: (wanted, requestor) => onlyName(wanted) && runsOnNode(requestor, nodeOf(wanted.name)) },
  { name: 'arbitrary-node', applies: wanted => onlyName(wanted) && nodeOf(wanted.name) !== undefined },
  { name: 'serviceaccount', applies: wanted => onlyName(wanted) && serviceAccountOf(wanted.name) !== undefined },
  { name: 'user-info', applies: wanted => nodeOf(wanted.name) === undefined && serviceAccountOf(wanted.name) === undefined },
  { applies: () => true }
]

/** Whether a service account's token is bound to that node. */
function runsOnNode (requestor: UserInfo, node: string | undefined): boolean {
  const nodes = requestor.extra?.['authentication.kubernetes.io/node-name']
  return node !== undefined && serviceAccountOf(requestor.name) !== undefined && nodes?.length === 1 && nodes[0] === node
}

/**
 * Decides whether a caller may act as another user: `Impersonate-*` headers of requests that come to this server directly (the aggregator
 * uses them up itself). The rules are those of kube-apiserver 1.36 (KEP-5284, constrained impersonation, and the old `impersonate`).
 */
export class Impersonator {
  readonly #authorizer: Authorizer
  /** The mode that worked last for a user is tried first. */
  readonly #last = new Map<string, Mode>()

  constructor (authorizer: Authorizer) { this.#authorizer = authorizer }

  /**
   * @param attributes of the request, with the user who makes it
   * @throws StatusError 403
   */
  async impersonate (wanted: UserInfo, attributes: Attributes, signal: AbortSignal): Promise<Impersonated> {
    const last = this.#last.get(attributes.user.name)
    let first: unknown
    for (const mode of last === undefined ? modes : [last, ...modes.filter(m => m !== last)]) {
      if (!mode.applies(wanted, attributes.user)) continue
      try {
        const user = await new Check(this.#authorizer, mode, attributes, signal).user(wanted)
        this.#remember(attributes.user.name, mode)
        return { user, constraint: mode.name === undefined ? '' : `impersonate:${mode.name}` }
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
        first ??= error
      }
    }
    throw first
  }

  #remember (name: string, mode: Mode): void {
    this.#last.delete(name)
    this.#last.set(name, mode)
    if (this.#last.size > rememberedUsers) this.#last.delete(this.#last.keys().next().value!)
  }
}

/** One mode, asked for one request. */
class Check {
  readonly #authorizer: Authorizer
  readonly #mode: Mode
  readonly #attributes: Attributes
  readonly #signal: AbortSignal

  constructor (authorizer: Authorizer, mode: Mode, attributes: Attributes, signal: AbortSignal) {
    this.#authorizer = authorizer
    this.#mode = mode
    this.#attributes = attributes
    this.#signal = signal
  }

  async user (wanted: UserInfo): Promise<UserInfo> {
    const { name } = this.#mode
    if (name !== undefined) await this.#ask({ ...this.#attributes, user: this.#requestor(), verb: `impersonate-on:${name}:${this.#attributes.verb}` })
    let groups = await this.#askForName(wanted)
    if (wanted.uid !== undefined) await this.#ask(this.#about(authenticationGroup, 'uids', wanted.uid))
    await this.#askForGroups(wanted.groups)
    await this.#askForExtra(wanted.extra ?? {})
    if (wanted.name === anonymousUser) groups = groups.includes(allUnauthenticated) ? groups : [...groups, allUnauthenticated]
    else if (!groups.includes(allUnauthenticated) && !groups.includes(allAuthenticated)) groups = [...groups, allAuthenticated]
    return { ...wanted, groups }
  }

  /** @returns the groups that the user will have */
  async #askForName (wanted: UserInfo): Promise<readonly string[]> {
    const group = this.#mode.name === undefined ? '' : authenticationGroup
    const node = this.#mode.name === undefined ? undefined : nodeOf(wanted.name)
    const account = serviceAccountOf(wanted.name)
    if (node !== undefined) {
      await this.#ask(this.#about(group, 'nodes', this.#mode.name === 'associated-node' ? '*' : node))
      return ['system:nodes']
    }
    if (account === undefined) {
      await this.#ask(this.#about(group, 'users', wanted.name))
      return wanted.groups
    }
    await this.#ask({ ...this.#about(group, 'serviceaccounts', account.name), namespace: account.namespace })
    return wanted.groups.length > 0 ? wanted.groups : serviceAccountGroups(account.namespace)
  }

  async #askForGroups (groups: readonly string[]): Promise<void> {
    if (groups.length === 0) return
    const constrained = this.#mode.name !== undefined
    const about = this.#about(constrained ? authenticationGroup : '', 'groups', '')
    if (constrained) {
      if (groups.includes('')) throw forbiddenError(about, 'impersonating the empty string group is not allowed')
      if (groups.includes(privilegedGroup)) throw forbiddenError({ ...about, name: privilegedGroup }, `impersonating the ${privilegedGroup} group is not allowed`)
      if (groups.length >= many && await this.#allowed({ ...about, name: '*' })) return
    }
    for (const name of groups) await this.#ask({ ...about, name })
  }

  async #askForExtra (extra: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const entries = Object.entries(extra)
    if (entries.length === 0) return
    const about = this.#about(authenticationGroup, 'userextras', '')
    if (this.#mode.name !== undefined) {
      const wrong = entries.map(([key, values]) => extraProblem(key, values)).find(problem => problem !== undefined)
      if (wrong !== undefined) throw forbiddenError(about, wrong)
      const isMany = entries.length >= many || entries.reduce((sum, [, values]) => sum + values.length, 0) >= many
      if (isMany && await this.#allowed({ ...about, subresource: '*', name: '*' })) return
    }
    for (const [key, values] of entries) for (const name of values) await this.#ask({ ...about, subresource: key, name })
  }

  #about (apiGroup: string, resource: string, name: string): ResourceAttributes {
    const { name: mode } = this.#mode
    return {
      resourceRequest: true, user: this.#requestor(), verb: mode === undefined ? 'impersonate' : `impersonate:${mode}`, path: '',
      apiGroup, apiVersion: 'v1', resource, subresource: '', namespace: '', name
    }
  }

  /** For its own node a service account is asked about without what differs from node to node, so that one answer serves all of its pods. */
  #requestor (): UserInfo {
    const { user } = this.#attributes
    return this.#mode.name === 'associated-node'
      ? { ...user, extra: { 'authentication.kubernetes.io/associated-node-keys': Object.keys(user.extra ?? {}).sort() } }
      : user
  }

  async #allowed (attributes: Attributes): Promise<boolean> {
    try {
      await this.#ask(attributes)
      return true
    } catch (error) {
      if (error instanceof StatusError) return false
      throw error
    }
  }

  /** @throws StatusError 403, also when the cluster cannot be asked */
  async #ask (attributes: Attributes): Promise<void> {
    let reason: string
    try {
      const result = await this.#authorizer.authorize(attributes, { signal: this.#signal })
      if (result.decision === 'allow') return
      reason = result.reason
    } catch (error) {
      this.#signal.throwIfAborted()
      if (isReason(error, 'Forbidden')) throw error
      reason = error instanceof Error ? error.message : String(error)
    }
    throw forbiddenError(attributes, reason)
  }
}

function extraProblem (key: string, values: readonly string[]): string | undefined {
  if (key === '') return 'impersonating the empty string key in extra is not allowed'
  const problem = pathProblem(key)
  if (problem !== undefined) return `impersonating an invalid key in extra is not allowed: ${problem}`
  if (values.includes('')) return 'impersonating the empty string value in extra is not allowed'
  return undefined
}

/** What apimachinery's IsDomainPrefixedPath says of a key such as `acme.io/foo`. */
function pathProblem (key: string): string | undefined {
  const slash = key.indexOf('/')
  const [host, path] = [key.slice(0, Math.max(slash, 0)), key.slice(slash + 1)]
  if (host === '' || path === '') return fieldErrorText(invalid('extra.key', key, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  const wrong = isDns1123Subdomain(host).map(why => fieldErrorText(invalid('extra.key', host, why)))
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(path)) {
    wrong.push(fieldErrorText(invalid('extra.key', path, "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')")))
  }
  return wrong.length > 1 ? `[${wrong.join(', ')}]` : wrong[0]
}
