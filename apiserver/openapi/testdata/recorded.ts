import { readFileSync } from 'node:fs'
import { isObject, type JsonObject, type JsonValue } from '../../../registry/codec/value.js'

/**
 * What kube-apiserver 1.36.3 publishes for the CustomResourceDefinitions in `crds`: paths, and schemas (`definitions` in v2). Descriptions
 * are left out but for those of operations, since ours are in other words; parameters of v2 are written out where they were references.
 */
export const recordedDocument = (name: string): JsonObject =>
  withoutOptionalParts(JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8')) as JsonObject) as JsonObject

/** A document of ours, put as the recorded ones are: parameters written out, descriptions left out but for those of operations. */
export function comparable (document: JsonObject): { paths: JsonObject; schemas: JsonObject } {
  const parameters = object(document.parameters)
  const resolve = (parameter: JsonValue): JsonValue => {
    const reference = object(parameter).$ref
    return typeof reference === 'string' ? object(parameters[reference.replace('#/parameters/', '')]) : parameter
  }
  const paths: JsonObject = {}
  for (const [path, item] of Object.entries(object(document.paths))) {
    paths[path] = Object.fromEntries(Object.entries(object(item)).map(([method, operation]) => {
      if (Array.isArray(operation)) return [method, withoutDescriptions(operation.map(resolve))]
      const { description = null, parameters: own, ...rest } = object(operation)
      return [method, withoutDescriptions({ ...rest, ...(Array.isArray(own) && { parameters: own.map(resolve) }) }, description)]
    }))
  }
  return { paths, schemas: object(withoutOptionalParts(withoutDescriptions(document.definitions ?? object(document.components).schemas ?? {}))) }
}

export const object = (value: JsonValue | undefined): JsonObject => isObject(value) ? value : {}

function withoutDescriptions (value: JsonValue, description: JsonValue = null): JsonValue {
  if (Array.isArray(value)) return value.map(item => withoutDescriptions(item))
  if (!isObject(value)) return value
  const kept = Object.entries(value).filter(([key, member]) => key !== 'description' || typeof member !== 'string')
  return { ...Object.fromEntries(kept.map(([key, member]) => [key, withoutDescriptions(member)])), ...(description !== null && { description }) }
}

const absent = new Set(['shardSelector', 'shardInfo', 'ignoreStoreReadErrorWithClusterBreakingPotential', 'io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo'])

/** Leaves out what this server does not do, and the groups of which DeleteOptions are a kind: every server has its own. */
function withoutOptionalParts (value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.filter(item => !absent.has(String(object(item).name)) && object(item).kind !== 'DeleteOptions').map(withoutOptionalParts)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).filter(([key]) => !absent.has(key)).map(([key, member]) => [key, withoutOptionalParts(member)]))
}
