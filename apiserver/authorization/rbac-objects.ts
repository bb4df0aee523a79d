/** The objects of rbac.authorization.k8s.io/v1, as far as they decide anything. */

export interface PolicyRule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'; readonly values?: readonly string[] }[]
}

export interface Role {
  readonly kind: 'Role' | 'ClusterRole'
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> }
  readonly rules?: readonly PolicyRule[] | null
  /** ClusterRole only: the rules are those of the ClusterRoles that a selector matches. */
  readonly aggregationRule?: { readonly clusterRoleSelectors: readonly LabelSelector[] }
}

export interface Subject {
  readonly kind: 'User' | 'Group' | 'ServiceAccount'
  readonly name: string
  readonly namespace?: string
}

export interface Binding {
  readonly kind: 'RoleBinding' | 'ClusterRoleBinding'
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly subjects?: readonly Subject[] | null
  readonly roleRef: { readonly kind: 'Role' | 'ClusterRole'; readonly name: string }
}

export type RbacObject = Role | Binding

const group = 'rbac.authorization.k8s.io'

const strings = { type: 'array', items: { type: 'string' } }
const optionalStrings = { ...strings, nullable: true }
const metadata = (namespaced: boolean): object => ({
  type: 'object',
  required: ['name'],
  properties: {
    name: { type: 'string', minLength: 1, pattern: '^(?!\\.{1,2}$)[^/%]*$' },
    labels: { type: 'object', additionalProperties: { type: 'string' }, nullable: true },
    ...(namespaced && { namespace: { type: 'string', minLength: 1 } })
  },
  // Everything else of ObjectMeta may stand in a manifest and means nothing here.
  additionalProperties: true
})
const rule = {
  type: 'object',
  required: ['verbs'],
  properties: { verbs: { ...strings, minItems: 1 }, apiGroups: optionalStrings, resources: optionalStrings, resourceNames: optionalStrings, nonResourceURLs: optionalStrings },
  additionalProperties: false
}
const selector = {
  type: 'object',
  properties: {
    matchLabels: { type: 'object', additionalProperties: { type: 'string' }, nullable: true },
    matchExpressions: {
      type: 'array',
      nullable: true,
      items: { type: 'object', required: ['key', 'operator'], properties: { key: { type: 'string', minLength: 1 }, operator: { enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'] }, values: optionalStrings }, additionalProperties: false }
    }
  },
  additionalProperties: false
}
const subject = {
  type: 'object',
  required: ['kind', 'name'],
  properties: { kind: { enum: ['User', 'Group', 'ServiceAccount'] }, name: { type: 'string', minLength: 1 }, namespace: { type: 'string' }, apiGroup: { type: 'string' } },
  additionalProperties: false
}
const object = (kind: string, namespaced: boolean, properties: object, required: readonly string[]): object => ({
  type: 'object',
  required: ['apiVersion', 'kind', 'metadata', ...required],
  properties: { apiVersion: { const: `${group}/v1` }, kind: { const: kind }, metadata: metadata(namespaced), ...properties },
  additionalProperties: false
})
const bindingProperties = (roleKinds: readonly string[]): object => ({
  subjects: { type: 'array', items: subject, nullable: true },
  roleRef: { type: 'object', required: ['kind', 'name'], properties: { apiGroup: { enum: [group, ''] }, kind: { enum: roleKinds }, name: { type: 'string', minLength: 1 } }, additionalProperties: false }
})
const rules = { type: 'array', items: rule, nullable: true }

/** JSON schema of each kind. Unknown fields are refused: a misspelt `resourceNames` must not widen a rule. */
export const rbacSchemas: Readonly<Record<RbacObject['kind'], object>> = {
  Role: object('Role', true, { rules }, []),
  ClusterRole: object('ClusterRole', false, {
    rules,
    aggregationRule: { type: 'object', required: ['clusterRoleSelectors'], properties: { clusterRoleSelectors: { type: 'array', minItems: 1, items: selector } }, additionalProperties: false }
  }, []),
  RoleBinding: object('RoleBinding', true, bindingProperties(['Role', 'ClusterRole']), ['roleRef']),
  ClusterRoleBinding: object('ClusterRoleBinding', false, bindingProperties(['ClusterRole']), ['roleRef'])
}

/** What the schema cannot say: the remaining checks of upstream's `rbac/validation`. Field paths and texts are upstream's. */
export function rbacProblems (object: RbacObject): { field: string; message: string }[] {
  const problems: { field: string; message: string }[] = []
  if (!('roleRef' in object)) {
    object.rules?.forEach((r, i) => {
      const at = `rules[${i}]`
      const some = (list: readonly string[] | undefined): boolean => (list?.length ?? 0) > 0
      if (some(r.nonResourceURLs)) {
        const value = JSON.stringify(r.nonResourceURLs)
        if (object.kind === 'Role') problems.push({ field: `${at}.nonResourceURLs`, message: `Invalid value: ${value}: namespaced rules cannot apply to non-resource URLs` })
        if (some(r.apiGroups) || some(r.resources) || some(r.resourceNames)) problems.push({ field: `${at}.nonResourceURLs`, message: `Invalid value: ${value}: rules cannot apply to both regular resources and non-resource URLs` })
        return
      }
      if (!some(r.apiGroups)) problems.push({ field: `${at}.apiGroups`, message: 'Required value: resource rules must supply at least one api group' })
      if (!some(r.resources)) problems.push({ field: `${at}.resources`, message: 'Required value: resource rules must supply at least one resource' })
    })
    return problems
  }
  object.subjects?.forEach((s, i) => {
    const apiGroup = (s as { apiGroup?: string }).apiGroup ?? ''
    const wanted = s.kind === 'ServiceAccount' ? '' : group
    if (apiGroup !== '' && apiGroup !== wanted) problems.push({ field: `subjects[${i}].apiGroup`, message: `Unsupported value: ${JSON.stringify(apiGroup)}: supported values: ${JSON.stringify(wanted)}` })
    if (s.kind === 'ServiceAccount' && object.kind === 'ClusterRoleBinding' && (s.namespace ?? '') === '') problems.push({ field: `subjects[${i}].namespace`, message: 'Required value' })
  })
  return problems
}
