import { apiVersionOf } from '../meta/object-meta.js'
import { isDns1123Label, isDns1123Subdomain } from '../meta/names.js'
import { CompiledSchema } from '../schema/compiled-schema.js'
import type { ColumnDefinition, ResourceDefinition, ResourceVersionDefinition } from './resource-definition.js'
import type { Resource, ResourceVersion } from './resource.js'
import { compareVersions } from './version-order.js'

/** A resource declaration that cannot be served; each problem names the member it is about. */
export class InvalidDefinitionError extends Error {
  override readonly name = 'InvalidDefinitionError'
  readonly problems: readonly string[]
  constructor (resource: string, problems: readonly string[]) {
    super(`resource ${resource} cannot be served:\n${problems.map(p => `  - ${p}`).join('\n')}`)
    this.problems = problems
  }
}

/** The column that a version without columns has. */
export const ageColumn: ColumnDefinition = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata'
}

/**
 * Completes a declaration: checks it, fills in defaults, orders its versions. Schemas are taken as they are and compiled on first use.
 * @throws InvalidDefinitionError listing everything that is wrong
 */
export function defineResource (definition: ResourceDefinition): Resource {
  const { group, names, versions } = definition
  const problems: string[] = []
  for (const m of isDns1123Subdomain(group)) problems.push(`group ${JSON.stringify(group)}: ${m}`)
  for (const key of ['plural', 'singular'] as const) for (const m of isDns1123Label(names[key])) problems.push(`names.${key} ${JSON.stringify(names[key])}: ${m}`)
  if (!/^[A-Z][A-Za-z0-9]*$/.test(names.kind)) problems.push(`names.kind ${JSON.stringify(names.kind)}: must be PascalCase`)
  const storage = versions.filter(v => v.storage === true || versions.length === 1)
  if (storage.length !== 1) problems.push(`versions: exactly one must be the storage version, found ${storage.length}`)
  if (!versions.some(v => v.served !== false)) problems.push('versions: at least one must be served')
  if (new Set(versions.map(v => v.name)).size !== versions.length) problems.push('versions: names must be unique')
  versions.forEach((v, i) => {
    if (!/^[a-z][a-z0-9]*$/.test(v.name)) problems.push(`versions[${i}].name ${JSON.stringify(v.name)}: must be like v1 or v1beta1`)
    if (v.conversion && v === storage[0]) problems.push(`versions[${i}].conversion: the storage version needs none`)
    for (const [key, path] of Object.entries(v.subresources?.scale ?? {})) {
      if (!/^(\.[A-Za-z0-9_-]+)+$/.test(path)) problems.push(`versions[${i}].subresources.scale.${key} ${JSON.stringify(path)}: must be a path of dots and names, such as .spec.replicas`)
    }
  })
  if (problems.length > 0) throw new InvalidDefinitionError(`${names.plural}.${group}`, problems)

  const completed = versions.map(v => completeVersion(definition, v, v === storage[0]))
  completed.sort((a, b) => compareVersions(b.name, a.name))
  return Object.freeze({
    group,
    names: Object.freeze({ listKind: `${names.kind}List`, shortNames: [], categories: [], ...names }),
    namespaced: definition.scope === 'Namespaced',
    groupResource: Object.freeze({ group, resource: names.plural }),
    versions: Object.freeze(completed),
    storageVersion: completed.find(v => v.storage)!,
    strategy: definition.strategy ?? {},
    definition
  })
}

function completeVersion (definition: ResourceDefinition, v: ResourceVersionDefinition, storage: boolean): ResourceVersion {
  return Object.freeze({
    name: v.name,
    apiVersion: apiVersionOf({ group: definition.group, version: v.name }),
    served: v.served !== false,
    storage,
    deprecationWarning: v.deprecated === true ? v.deprecationWarning ?? defaultDeprecationWarning(definition, v) : undefined,
    schema: v.schema,
    compiled: new CompiledSchema(v.schema),
    columns: v.columns ?? [ageColumn],
    selectableFields: (v.selectableFields ?? []).map(f => f.jsonPath.replace(/^\./, '')),
    subresources: v.subresources ?? {},
    conversion: v.conversion
  })
}

function defaultDeprecationWarning (definition: ResourceDefinition, v: ResourceVersionDefinition): string {
  const { group, names: { kind } } = definition
  const better = definition.versions
    .filter(x => x.served !== false && x.deprecated !== true && compareVersions(x.name, v.name) > 0)
    .sort((a, b) => compareVersions(b.name, a.name))[0]
  const text = `${group}/${v.name} ${kind} is deprecated`
  return better === undefined ? text : `${text}; use ${group}/${better.name} ${kind}`
}
