import { goQuote } from '../../registry/meta/go-format.js'
import type { UserInfo } from '../authentication/interfaces.js'
import type { Attributes, AuthorizationResult } from './interfaces.js'
import type { Binding, LabelSelector, PolicyRule, RbacObject, Role, Subject } from './rbac-objects.js'

/** A role's rules, looked up once per policy. */
interface ResolvedBinding {
  readonly binding: Binding
  readonly rules: readonly PolicyRule[]
  /** Set when the role does not exist. */
  readonly problem: string | undefined
}

/**
 * Role-based access control over a fixed set of objects, decided as kubernetes' RBAC authorizer does: any matching rule of any binding
 * allows, nothing denies, and bindings whose role is missing are named in the reason. Objects later in the list replace earlier ones of
 * the same kind and name.
 */
export class RbacPolicy {
  readonly #clusterBindings: readonly ResolvedBinding[]
  readonly #bindings = new Map<string, ResolvedBinding[]>()

  constructor (objects: readonly RbacObject[]) {
    const byName = new Map(objects.map(o => [`${o.kind}/${o.metadata.namespace ?? ''}/${o.metadata.name}`, o]))
    const all = [...byName.values()]
    const clusterRoles = all.filter((o): o is Role => o.kind === 'ClusterRole')
    const resolve = (binding: Binding): ResolvedBinding => {
      const namespace = binding.roleRef.kind === 'Role' ? binding.metadata.namespace ?? '' : ''
      const role = byName.get(`${binding.roleRef.kind}/${namespace}/${binding.roleRef.name}`) as Role | undefined
      return role === undefined
        ? { binding, rules: [], problem: `${binding.roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io ${goQuote(binding.roleRef.name)} not found` }
        : { binding, rules: rulesOf(role, clusterRoles), problem: undefined }
    }
    this.#clusterBindings = all.filter((o): o is Binding => o.kind === 'ClusterRoleBinding').map(resolve)
    for (const object of all) {
      if (object.kind !== 'RoleBinding') continue
      const namespace = object.metadata.namespace ?? ''
      const list = this.#bindings.get(namespace)
      if (list === undefined) this.#bindings.set(namespace, [resolve(object)])
      else list.push(resolve(object))
    }
  }

  decide (attributes: Attributes): AuthorizationResult {
    const namespace = attributes.resourceRequest ? attributes.namespace : ''
    const problems: string[] = []
    for (const { binding, rules, problem } of this.#applicable(namespace)) {
      const bindingNamespace = binding.kind === 'RoleBinding' ? namespace : ''
      const subject = binding.subjects?.find(s => applies(s, attributes.user, bindingNamespace))
      if (subject === undefined) continue
      if (problem !== undefined) problems.push(problem)
      else if (rules.some(rule => ruleAllows(rule, attributes))) return { decision: 'allow', reason: `RBAC: allowed by ${describe(binding, subject, bindingNamespace)}` }
    }
    if (problems.length === 0) return { decision: 'noOpinion', reason: '' }
    const distinct = [...new Set(problems)]
    return { decision: 'noOpinion', reason: `RBAC: ${distinct.length === 1 ? distinct[0]! : `[${distinct.join(', ')}]`}` }
  }

  #applicable (namespace: string): readonly ResolvedBinding[] {
    const local = namespace === '' ? undefined : this.#bindings.get(namespace)
    return local === undefined ? this.#clusterBindings : [...this.#clusterBindings, ...local]
  }
}

/** Whether one rule covers a request (kubernetes `rbac/v1` evaluation helpers). */
export function ruleAllows (rule: PolicyRule, attributes: Attributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false
  if (!attributes.resourceRequest) {
    return (rule.nonResourceURLs ?? []).some(url => url === '*' || url === attributes.path || (url.endsWith('*') && attributes.path.startsWith(url.replace(/\*+$/, ''))))
  }
  const { subresource } = attributes
  const combined = subresource === '' ? attributes.resource : `${attributes.resource}/${subresource}`
  return has(rule.apiGroups, attributes.apiGroup) &&
    (has(rule.resources, combined) || (subresource !== '' && (rule.resources?.includes(`*/${subresource}`) ?? false))) &&
    ((rule.resourceNames?.length ?? 0) === 0 || rule.resourceNames!.includes(attributes.name))
}

const has = (list: readonly string[] | null | undefined, wanted: string): boolean => list !== undefined && list !== null && (list.includes(wanted) || list.includes('*'))

function applies (subject: Subject, user: UserInfo, bindingNamespace: string): boolean {
  switch (subject.kind) {
    case 'User': return subject.name === user.name
    case 'Group': return user.groups.includes(subject.name)
    case 'ServiceAccount': {
      const namespace = subject.namespace || bindingNamespace
      return namespace !== '' && user.name === `system:serviceaccount:${namespace}:${subject.name}`
    }
  }
}

function describe (binding: Binding, subject: Subject, bindingNamespace: string): string {
  // Name first, namespace second, as upstream prints it.
  const name = binding.kind === 'RoleBinding' ? `${binding.metadata.name}/${binding.metadata.namespace ?? ''}` : binding.metadata.name
  const who = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace || bindingNamespace}` : subject.name
  return `${binding.kind} ${goQuote(name)} of ${binding.roleRef.kind} ${goQuote(binding.roleRef.name)} to ${subject.kind} ${goQuote(who)}`
}

/** A role's rules; those of an aggregated role come from the roles that its selectors match, which may be aggregated themselves. */
function rulesOf (role: Role, clusterRoles: readonly Role[], visited: ReadonlySet<Role> = new Set()): readonly PolicyRule[] {
  if (role.aggregationRule === undefined) return role.rules ?? []
  const seen = new Set([...visited, role])
  const { clusterRoleSelectors } = role.aggregationRule
  return clusterRoles
    .filter(other => !seen.has(other) && clusterRoleSelectors.some(selector => matches(selector, other.metadata.labels ?? {})))
    .flatMap(other => rulesOf(other, clusterRoles, seen))
}

function matches (selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
      const value = labels[key]
      switch (operator) {
        case 'Exists': return value !== undefined
        case 'DoesNotExist': return value === undefined
        case 'In': return value !== undefined && (values ?? []).includes(value)
        case 'NotIn': return value === undefined || !(values ?? []).includes(value)
      }
    })
}
