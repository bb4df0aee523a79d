import { printJson } from '../../registry/codec/json-print.js'
import { isObject, type JsonObject } from '../../registry/codec/value.js'
import { ApplyError } from './errors.js'
import type { FieldSet } from './field-set.js'
import { compareObjects, fieldsOfObject, type TypedObject } from './versions.js'

/** The field manager of `kubectl apply --server-side`, the only one for which the annotation counts. */
export const kubectlManager = 'kubectl'
/** Where client-side `kubectl apply` keeps what it applied last. */
export const lastAppliedAnnotation = 'kubectl.kubernetes.io/last-applied-configuration'
const maxAnnotationBytes = 256 * 1024

function annotationsOf (object: JsonObject): JsonObject | undefined {
  const annotations = isObject(object.metadata) ? object.metadata.annotations : undefined
  return isObject(annotations) ? annotations : undefined
}

function lastAppliedOf (object: JsonObject): string {
  const value = annotationsOf(object)?.[lastAppliedAnnotation]
  return typeof value === 'string' ? value : ''
}

/**
 * The fields of the last client-side apply that the live object still has as they were applied: those are kubectl's own.
 * Undefined when the object has no such annotation, or one of another version or that cannot be read.
 * Source: apimachinery, `managedfields/internal/lastappliedmanager.go`.
 */
export function lastAppliedFields (live: JsonObject, apiVersion: string, typed: (value: JsonObject) => TypedObject): FieldSet | undefined {
  const annotation = lastAppliedOf(live)
  if (annotation === '') return undefined
  try {
    const value: unknown = JSON.parse(annotation)
    if (!isObject(value) || value.apiVersion !== apiVersion || typeof value.kind !== 'string' || value.kind === '') return undefined
    const present = typed(live)
    const applied = typed(value)
    const { modified, added, removed } = compareObjects(applied, present)
    return fieldsOfObject(applied).difference(modified).difference(added).difference(removed)
  } catch (error) {
    if (error instanceof ApplyError || error instanceof SyntaxError) return undefined
    throw error
  }
}

/**
 * The object with its annotation, if it has one, saying what was now applied, so that going back to client-side apply works. An
 * annotation that would not fit is dropped.
 * Source: apimachinery, `managedfields/internal/lastappliedupdater.go`.
 */
export function syncLastApplied (object: JsonObject, config: JsonObject): JsonObject {
  if (lastAppliedOf(object) === '') return object
  const annotations: JsonObject = { ...annotationsOf(object), [lastAppliedAnnotation]: lastAppliedText(config) }
  let bytes = 0
  for (const [key, value] of Object.entries(annotations)) bytes += Buffer.byteLength(key) + Buffer.byteLength(String(value))
  if (bytes > maxAnnotationBytes) delete annotations[lastAppliedAnnotation]
  return { ...object, metadata: { ...(isObject(object.metadata) ? object.metadata : {}), annotations } }
}

/** The configuration without the annotation itself, as one line of JSON. */
function lastAppliedText (config: JsonObject): string {
  const annotations = annotationsOf(config)
  if (annotations === undefined || !Object.hasOwn(annotations, lastAppliedAnnotation)) return printJson(config) + '\n'
  const { [lastAppliedAnnotation]: _, ...others } = annotations
  return printJson({ ...config, metadata: { ...(config.metadata as JsonObject), annotations: others } }) + '\n'
}
