import { isObject } from '../../registry/codec/value.js'
import type { ServedResource } from '../discovery/group-version.js'
import { metaPrefix, typeMetaDescriptions } from './meta-schemas.js'
import { describedReference, groupVersionKindExtension, reference, schemaName, type Dialect, type GroupVersionKind, type Schema } from './schema.js'
import { publishedSchema, visitPublished } from './structural.js'

/** The names of a kind's two schemas. */
export interface KindNames { readonly gvk: GroupVersionKind; readonly object: string; readonly list: string }

export function kindNames ({ resource, version }: ServedResource): KindNames {
  const gvk = { group: resource.group, version: version.name, kind: resource.names.kind }
  return { gvk, object: schemaName(gvk), list: schemaName({ ...gvk, kind: resource.names.listKind }) }
}

/**
 * The schemas of a kind and of its list, by name, with apiVersion, kind and metadata put in.
 * Source: k8s.io/apiextensions-apiserver, pkg/controller/openapi/builder.
 */
export function kindSchemas (served: ServedResource, dialect: Dialect): Record<string, Schema> {
  const { gvk, object, list } = kindNames(served)
  const { names } = served.resource
  const listSchema: Schema = {
    description: `${names.listKind} is a list of ${names.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeMeta(),
      items: { description: `The ${names.plural} of the list.`, type: 'array', items: reference(dialect, object) },
      metadata: describedReference(dialect, `${metaPrefix}ListMeta`, typeMetaDescriptions.listMetadata)
    },
    ...extensions(served, { ...gvk, kind: names.listKind })
  }
  return { [object]: { ...objectSchema(served, dialect), ...extensions(served, gvk) }, [list]: listSchema }
}

function objectSchema ({ version }: ServedResource, dialect: Dialect): Schema {
  // In v2 a root that keeps unknown fields says nothing else: kubectl takes any list of properties for the whole list.
  if (dialect === 'v2' && version.schema['x-kubernetes-preserve-unknown-fields'] === true) return { type: 'object' }
  const schema = publishedSchema(version.schema, dialect)
  visitPublished(schema, inner => addEmbedded(inner, dialect))
  return withProperties(schema, { ...typeMeta(), metadata: describedReference(dialect, `${metaPrefix}ObjectMeta`, typeMetaDescriptions.metadata) })
}

/** An embedded object has the members of every object, and must say what it is. */
function addEmbedded (schema: Schema, dialect: Dialect): void {
  if (schema['x-kubernetes-embedded-resource'] !== true) return
  if (dialect === 'v2' && schema['x-kubernetes-preserve-unknown-fields'] === true) return
  const required = Array.isArray(schema.required) ? schema.required : []
  Object.assign(schema, withProperties(schema, { ...typeMeta(), metadata: describedReference(dialect, `${metaPrefix}ObjectMeta`, typeMetaDescriptions.metadata) }))
  schema.required = [...required, ...['kind', 'apiVersion'].filter(name => !required.includes(name))]
}

const withProperties = (schema: Schema, properties: Record<string, Schema>): Schema =>
  ({ ...schema, properties: { ...isObject(schema.properties) && schema.properties, ...properties } })

const typeMeta = (): Record<'apiVersion' | 'kind', Schema> =>
  ({ apiVersion: { description: typeMetaDescriptions.apiVersion, type: 'string' }, kind: { description: typeMetaDescriptions.kind, type: 'string' } })

function extensions ({ version }: ServedResource, gvk: GroupVersionKind): Schema {
  const selectable = version.selectableFields.map(fieldPath => ({ fieldPath }))
  return { [groupVersionKindExtension]: [{ ...gvk }], ...(selectable.length > 0 && { 'x-kubernetes-selectable-fields': selectable }) }
}
