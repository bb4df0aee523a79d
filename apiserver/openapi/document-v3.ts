import type { OpenAPIV3 } from 'openapi-types'
import type { JsonValue } from '../../registry/codec/value.js'
import type { GroupVersion } from '../discovery/group-version.js'
import { discoverySchemas } from './discovery-schemas.js'
import { kindSchemas } from './kind-schemas.js'
import { metaPrefix, metaSchemas } from './meta-schemas.js'
import { byPath, ownParameters, type Content, type Operation } from './operation.js'
import type { Parameter } from './parameters.js'
import { resourceOperations } from './resource-operations.js'
import { asSchemaObject, groupVersionKindExtension, reference, referencedNames, type Schema } from './schema.js'

/** What Kubernetes' clients read of an operation beside OpenAPI's own members. */
interface Extensions { 'x-kubernetes-action'?: string; [groupVersionKindExtension]?: { group: string; version: string; kind: string } }
export type DocumentV3 = OpenAPIV3.Document<Extensions>

export interface DocumentInfo { readonly title: string; readonly version: string }

/** The document of one group version: its kinds, their operations, and every schema that these refer to. @param others operations that are of no kind */
export function groupVersionDocument (groupVersion: GroupVersion, info: DocumentInfo, others: readonly Operation[] = []): DocumentV3 {
  const kinds = Object.assign({}, ...groupVersion.resources.map(served => kindSchemas(served, 'v3'))) as Record<string, Schema>
  const meta = metaSchemas()
  const deleteOptions = meta[`${metaPrefix}DeleteOptions`] ?? {}
  deleteOptions[groupVersionKindExtension] = deleteOptionsKinds([groupVersion])
  return documentOf([...groupVersion.resources.flatMap(resourceOperations), ...others], { ...meta, ...kinds }, info)
}

/** A document of operations that have to do with discovery. */
export const discoveryDocument = (operations: readonly Operation[], info: DocumentInfo): DocumentV3 =>
  documentOf(operations, discoverySchemas(), info)

/** DeleteOptions are a kind of every group version, since clients write them with the apiVersion of the object they delete. */
export const deleteOptionsKinds = (groupVersions: readonly GroupVersion[]): Schema[] =>
  [{ group: '', version: 'v1' }, ...groupVersions].map(({ group, version }) => ({ group, kind: 'DeleteOptions', version }))

function documentOf (operations: readonly Operation[], schemas: Readonly<Record<string, Schema>>, info: DocumentInfo): DocumentV3 {
  const paths: OpenAPIV3.PathsObject<Extensions> = {}
  for (const { path, operations: found, shared } of byPath(operations)) {
    const item: OpenAPIV3.PathItemObject<Extensions> = {}
    for (const operation of found) item[operation.method as OpenAPIV3.HttpMethods] = operationObject(operation, shared)
    if (shared.length > 0) item.parameters = shared.map(parameterObject)
    paths[path] = item
  }
  return { openapi: '3.0.0', info: { ...info }, paths, components: { schemas: reachable(paths, schemas) } }
}

/** The schemas that the paths refer to, directly or through others. */
function reachable (paths: object, schemas: Readonly<Record<string, Schema>>): Record<string, OpenAPIV3.SchemaObject> {
  const out: Record<string, OpenAPIV3.SchemaObject> = {}
  const names = referencedNames('v3', paths as JsonValue)
  // A Set is walked in order of insertion, what is added on the way included.
  for (const name of names) {
    const schema = schemas[name]
    if (schema === undefined) throw new Error(`no schema of the name ${name}`)
    out[name] = asSchemaObject(schema)
    referencedNames('v3', schema, names)
  }
  return out
}

const content = (mediaTypes: readonly string[], schema: Content): Record<string, OpenAPIV3.MediaTypeObject> => typeof schema === 'string'
  ? Object.fromEntries(mediaTypes.map(mediaType => [mediaType, { schema: reference('v3', schema) }]))
  : Object.fromEntries(Object.entries(schema).map(([mediaType, inline]) => [mediaType, { schema: asSchemaObject({ ...inline }) }]))

function operationObject (operation: Operation, shared: readonly Parameter[]): OpenAPIV3.OperationObject<Extensions> {
  const responses: OpenAPIV3.ResponsesObject = { 401: { description: 'Unauthorized' } }
  for (const { code, description, schema } of operation.responses) responses[code] = { description, ...(schema !== undefined && { content: content(operation.produces, schema) }) }
  const parameters = ownParameters(operation, shared)
  return {
    tags: [operation.tag],
    description: operation.description,
    operationId: operation.operationId,
    ...(parameters.length > 0 && { parameters: parameters.map(parameterObject) }),
    ...(operation.body && { requestBody: { content: content(operation.consumes, operation.body.schema), ...(operation.body.required && { required: true }) } }),
    responses,
    ...(operation.action && { 'x-kubernetes-action': operation.action }),
    ...(operation.gvk && { [groupVersionKindExtension]: { ...operation.gvk } })
  }
}

const parameterObject = ({ name, in: place, type, description }: Parameter): OpenAPIV3.ParameterObject =>
  ({ name, in: place, description, ...(place === 'path' && { required: true }), schema: { type, uniqueItems: true } })
