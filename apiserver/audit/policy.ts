import type { NonResourceAttributes, ResourceAttributes } from '../authorization/interfaces.js'
import type { UserInfo } from '../authentication/interfaces.js'
import type { AuditLevel, AuditStage } from './event.js'

/** What the policy looks at: the attributes of authorization, but a request that failed to authenticate has no user. */
export type AuditAttributes = (Omit<ResourceAttributes, 'user'> | Omit<NonResourceAttributes, 'user'>) & { readonly user?: UserInfo | undefined }

export interface GroupResources {
  /** `*` is every group; empty or absent the core group. */
  readonly group?: string
  readonly resources?: readonly string[] | null
  readonly resourceNames?: readonly string[] | null
}

export interface AuditPolicyRule {
  readonly level: AuditLevel
  readonly users?: readonly string[] | null
  readonly userGroups?: readonly string[] | null
  readonly verbs?: readonly string[] | null
  readonly resources?: readonly GroupResources[] | null
  readonly namespaces?: readonly string[] | null
  readonly nonResourceURLs?: readonly string[] | null
  readonly omitStages?: readonly AuditStage[] | null
  readonly omitManagedFields?: boolean | null
}

/** `audit.k8s.io/v1` Policy. */
export interface AuditPolicy {
  readonly rules: readonly AuditPolicyRule[]
  readonly omitStages?: readonly AuditStage[] | null
  readonly omitManagedFields?: boolean | null
}

/** What to record of one request. */
export interface AuditConfig {
  readonly level: AuditLevel
  readonly omitStages: ReadonlySet<AuditStage>
  readonly omitManagedFields: boolean
}

/** Without a policy file: metadata of everything. */
export const defaultAuditPolicy: AuditPolicy = { rules: [{ level: 'Metadata' }] }

/** Decides by the first matching rule; a request that none matches is not recorded (k8s.io/apiserver `audit/policy`). */
export class AuditPolicyEvaluator {
  readonly #rules: readonly { rule: AuditPolicyRule; config: AuditConfig }[]
  readonly #none: AuditConfig

  constructor (policy: AuditPolicy) {
    const config = (rule: Partial<AuditPolicyRule>): AuditConfig => ({
      level: rule.level ?? 'None',
      omitStages: new Set([...policy.omitStages ?? [], ...rule.omitStages ?? []]),
      omitManagedFields: rule.omitManagedFields ?? policy.omitManagedFields ?? false
    })
    this.#rules = policy.rules.map(rule => ({ rule, config: config(rule) }))
    this.#none = config({})
  }

  evaluate (attributes: AuditAttributes): AuditConfig {
    return this.#rules.find(({ rule }) => ruleMatches(rule, attributes))?.config ?? this.#none
  }
}

function ruleMatches (rule: AuditPolicyRule, attributes: AuditAttributes): boolean {
  const { user } = attributes
  if (some(rule.users) && !(user !== undefined && rule.users.includes(user.name))) return false
  if (some(rule.userGroups) && !(user?.groups.some(group => rule.userGroups!.includes(group)) ?? false)) return false
  if (some(rule.verbs) && !rule.verbs.includes(attributes.verb)) return false
  if (some(rule.namespaces) || some(rule.resources)) return attributes.resourceRequest && matchesResource(rule, attributes)
  if (some(rule.nonResourceURLs)) return !attributes.resourceRequest && rule.nonResourceURLs.some(url => pathMatches(attributes.path, url))
  return true
}

const pathMatches = (path: string, url: string): boolean =>
  url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, '')))

function matchesResource (rule: AuditPolicyRule, attributes: Omit<ResourceAttributes, 'user'>): boolean {
  if (some(rule.namespaces) && !rule.namespaces.includes(attributes.namespace)) return false
  if (!some(rule.resources)) return true
  const { resource, subresource, name } = attributes
  const combined = subresource === '' ? resource : `${resource}/${subresource}`
  return rule.resources.some(({ group = '', resources, resourceNames }) =>
    (group === '*' || group === attributes.apiGroup) &&
    (!some(resources) || ((!some(resourceNames) || resourceNames.includes(name)) && resources.some(wanted =>
      wanted === '*' || wanted === combined || wanted === `${resource}/*` || (subresource !== '' && wanted === `*/${subresource}`)))))
}

const some = <T>(list: readonly T[] | null | undefined): list is readonly T[] => list !== undefined && list !== null && list.length > 0
