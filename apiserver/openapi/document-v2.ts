import type { OpenAPIV2 } from 'openapi-types'
import type { JsonValue } from '../../registry/codec/value.js'
import type { Group } from '../discovery/group-version.js'
import { groupListOperation, groupOperation, versionOperation } from './discovery-operations.js'
import { discoverySchemas } from './discovery-schemas.js'
import { deleteOptionsKinds, type DocumentInfo } from './document-v3.js'
import { kindSchemas } from './kind-schemas.js'
import { metaPrefix, metaSchemas } from './meta-schemas.js'
import { byPath, ownParameters, type Content, type Operation } from './operation.js'
import type { Parameter } from './parameters.js'
import { resourceOperations } from './resource-operations.js'
import { groupVersionKindExtension, reference, referencedNames, type Schema } from './schema.js'
import { swaggerComponent } from './structural.js'

interface Extensions { 'x-kubernetes-action'?: string; [groupVersionKindExtension]?: { group: string; version: string; kind: string } }
export type DocumentV2 = OpenAPIV2.Document<Extensions>

/** The one Swagger document of all groups. @param others operations that are of no kind */
export function swaggerDocument (groups: readonly Group[], info: DocumentInfo, others: readonly Operation[] = []): DocumentV2 {
  const groupVersions = groups.flatMap(group => group.versions)
  const resources = groupVersions.flatMap(groupVersion => groupVersion.resources)
  const operations = [groupListOperation(), ...groups.map(group => groupOperation(group.name)), versionOperation(), ...resources.flatMap(resourceOperations), ...others]

  const meta = metaSchemas()
  const deleteOptions = meta[`${metaPrefix}DeleteOptions`] ?? {}
  deleteOptions[groupVersionKindExtension] = deleteOptionsKinds(groupVersions)
  const schemas: Record<string, Schema> = swaggerComponent({ ...meta, ...discoverySchemas() }) as Record<string, Schema>
  for (const served of resources) Object.assign(schemas, kindSchemas(served, 'v2'))

  const parameters = new SharedParameters()
  const paths: OpenAPIV2.PathsObject<Extensions> = {}
  for (const { path, operations: found, shared } of byPath(operations)) {
    const item: OpenAPIV2.PathItemObject<Extensions> = {}
    for (const operation of found) item[operation.method as OpenAPIV2.HttpMethods] = operationObject(operation, shared, parameters)
    if (shared.length > 0) item.parameters = shared.map(parameter => parameters.refer(parameter))
    paths[path] = item
  }
  return {
    swagger: '2.0',
    info: { ...info },
    paths,
    definitions: reachable(paths, schemas),
    parameters: parameters.all,
    securityDefinitions: { BearerToken: { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' } },
    security: [{ BearerToken: [] }]
  }
}

function reachable (paths: object, schemas: Readonly<Record<string, Schema>>): OpenAPIV2.DefinitionsObject {
  const out: Record<string, Schema> = {}
  const names = referencedNames('v2', paths as JsonValue)
  for (const name of names) {
    const schema = schemas[name]
    if (schema === undefined) throw new Error(`no schema of the name ${name}`)
    out[name] = schema
    referencedNames('v2', schema, names)
  }
  return out as unknown as OpenAPIV2.DefinitionsObject
}

/** Swagger 2 has one schema for all media types; where they differ it says nothing. */
function schemaOf (content: Content): OpenAPIV2.Schema {
  if (typeof content === 'string') return reference('v2', content)
  const [first = {}, ...rest] = Object.values(content)
  return rest.every(schema => schema === first) ? { ...first } as OpenAPIV2.Schema : {}
}

function operationObject (operation: Operation, shared: readonly Parameter[], parameters: SharedParameters): OpenAPIV2.OperationObject<Extensions> {
  const responses: OpenAPIV2.ResponsesObject = { 401: { description: 'Unauthorized' } }
  for (const { code, description, schema } of operation.responses) responses[code] = { description, ...(schema !== undefined && { schema: schemaOf(schema) }) }
  const body: OpenAPIV2.Parameters = operation.body
    ? [{ name: 'body', in: 'body', ...(operation.body.required && { required: true }), schema: schemaOf(operation.body.schema) }]
    : []
  const own: OpenAPIV2.Parameters = [...body, ...ownParameters(operation, shared).map(parameter => parameters.refer(parameter))]
  return {
    description: operation.description,
    consumes: [...operation.consumes],
    produces: [...operation.produces],
    schemes: ['https'],
    tags: [operation.tag],
    operationId: operation.operationId,
    ...(own.length > 0 && { parameters: own }),
    responses,
    ...(operation.action && { 'x-kubernetes-action': operation.action }),
    ...(operation.gvk && { [groupVersionKindExtension]: { ...operation.gvk } })
  }
}

/** The query and path parameters of the document, each stated once; the few that share a name are numbered. */
class SharedParameters {
  readonly #keys = new Map<string, string>()
  readonly all: OpenAPIV2.ParametersDefinitionsObject = {}

  refer (parameter: Parameter): OpenAPIV2.ReferenceObject {
    const content = JSON.stringify(parameter)
    let key = this.#keys.get(content)
    if (key === undefined) {
      key = parameter.name
      for (let n = 2; this.all[key] !== undefined; n++) key = `${parameter.name}-${n}`
      this.#keys.set(content, key)
      this.all[key] = parameterObject(parameter)
    }
    return { $ref: `#/parameters/${key}` }
  }
}

const parameterObject = ({ name, in: place, type, description }: Parameter): OpenAPIV2.Parameter =>
  ({ name, in: place, description, ...(place === 'path' && { required: true }), type, uniqueItems: true })
