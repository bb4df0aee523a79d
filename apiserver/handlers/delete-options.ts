import { validateDeletion, type DeletionOptions } from '../../registry/generic/store/delete.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { parseYaml } from '../../registry/codec/yaml.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { newBadRequest, newInvalid } from '../../registry/meta/status-error.js'
import { bodyEncoding } from '../negotiation/content-type.js'
import type { RequestContext } from '../request-context.js'
import { truthy } from '../request-info.js'
import { readBody } from './body.js'
import { integer } from './options.js'
import type { RequestScope } from './scope.js'

/** DeleteOptions of the body, or of the query when the body is empty. @throws StatusError 400, 422 */
export async function deletionOptions (context: RequestContext, scope: RequestScope): Promise<DeletionOptions> {
  const body = await readBody(context, scope.limits.bodyBytes)
  const options = body.length > 0 ? fromBody(body, bodyEncoding(context.header('content-type'))) : fromQuery(context.query)
  const errors = validateDeletion(options)
  if (errors.length > 0) throw newInvalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors)
  return options
}

function fromQuery (query: URLSearchParams): DeletionOptions {
  return {
    ...(query.get('gracePeriodSeconds') && { gracePeriodSeconds: integer(query, 'gracePeriodSeconds') }),
    ...(query.has('propagationPolicy') && { propagationPolicy: query.get('propagationPolicy')! }),
    ...(query.has('orphanDependents') && { orphanDependents: truthy(query.get('orphanDependents')) }),
    ...(query.has('dryRun') && { dryRun: query.getAll('dryRun') })
  }
}

function fromBody (body: Buffer, encoding: 'json' | 'yaml'): DeletionOptions {
  let value: JsonValue
  try {
    value = encoding === 'json' ? parseJson(body).value : parseYaml(body).value
  } catch (error) {
    throw newBadRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`)
  }
  if (!isObject(value)) throw newBadRequest(`couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`)
  const kind = value['kind'] ?? ''
  const apiVersion = value['apiVersion'] ?? ''
  if (kind !== '' && kind !== 'DeleteOptions') {
    throw newBadRequest(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion === '' ? 'meta.k8s.io/v1' : apiVersion)} in scheme "pkg/runtime/scheme.go:111"`)
  }
  return decoded(value)
}

type Scalar = 'string' | 'number' | 'boolean'

function decoded (value: JsonObject): DeletionOptions {
  const gracePeriodSeconds = member(value, 'gracePeriodSeconds', 'number', 'DeleteOptions', 'int64')
  const orphanDependents = member(value, 'orphanDependents', 'boolean', 'DeleteOptions', 'bool')
  const propagationPolicy = member(value, 'propagationPolicy', 'string', 'DeleteOptions', 'v1.DeletionPropagation')
  const dryRun = value['dryRun']
  if (dryRun !== undefined && dryRun !== null && (!Array.isArray(dryRun) || dryRun.some(d => typeof d !== 'string'))) throw wrongType(dryRun, 'DeleteOptions.dryRun', '[]string')
  const preconditions = value['preconditions']
  if (preconditions !== undefined && preconditions !== null && !isObject(preconditions)) throw wrongType(preconditions, 'DeleteOptions.preconditions', 'v1.Preconditions')
  const uid = isObject(preconditions) ? member(preconditions, 'uid', 'string', 'Preconditions', 'types.UID') : undefined
  const resourceVersion = isObject(preconditions) ? member(preconditions, 'resourceVersion', 'string', 'Preconditions', 'string') : undefined
  return {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds: gracePeriodSeconds as number }),
    ...(orphanDependents !== undefined && { orphanDependents: orphanDependents as boolean }),
    ...(propagationPolicy !== undefined && { propagationPolicy: propagationPolicy as string }),
    ...(Array.isArray(dryRun) && { dryRun: dryRun as string[] }),
    ...(isObject(preconditions) && { preconditions: { ...(uid !== undefined && { uid: uid as string }), ...(resourceVersion !== undefined && { resourceVersion: resourceVersion as string }) } })
  }
}

function member (object: JsonObject, name: string, type: Scalar, struct: string, goType: string): string | number | boolean | undefined {
  const v = object[name]
  if (v === undefined || v === null) return undefined
  if (typeof v !== type) throw wrongType(v, `${struct}.${name}`, goType)
  return v as string | number | boolean
}

const wrongType = (v: JsonValue, field: string, goType: string): Error =>
  newBadRequest(`json: cannot unmarshal ${Array.isArray(v) ? 'array' : typeof v === 'boolean' ? 'bool' : typeof v} into Go struct field ${field} of type ${goType}`)
