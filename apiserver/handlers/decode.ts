import { describeBody } from '../../registry/codec/describe-body.js'
import { JsonTypeError, parseJson } from '../../registry/codec/json-parse.js'
import { printJson } from '../../registry/codec/json-print.js'
import { interpretTypeMeta, typeMetaErrorPrefix, type TypeMeta } from '../../registry/codec/type-meta.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { parseYaml } from '../../registry/codec/yaml.js'
import { goType, goValue } from '../../registry/generic/type-validation.js'
import type { Resource, ResourceVersion } from '../../registry/generic/resource.js'
import { decodeObjectMeta } from '../../registry/meta/decode-meta.js'
import { fieldErrorText } from '../../registry/meta/field-error.js'
import { goQuote } from '../../registry/meta/go-format.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { newBadRequest } from '../../registry/meta/status-error.js'
import type { FieldValidation } from './options.js'

/**
 * A body that is not an object of the resource; `message` is the bare text, and `known` what could be read of its type before.
 * Handlers wrap it: 400 for a body, 422 for the result of a patch.
 */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly known: TypeMeta | undefined
  constructor (message: string, known?: TypeMeta) {
    super(message)
    this.known = known
  }
}

export interface Decoded {
  readonly object: KubeObject
  /** Duplicate and unknown fields, in upstream's order; empty for fieldValidation Ignore. */
  readonly strict: readonly string[]
}

interface Parsed { readonly value: JsonValue; readonly duplicates: readonly string[] }

/**
 * Decodes a custom resource as kube-apiserver does: kind and apiVersion, then metadata, then pruning and defaulting by the schema of the
 * version that the body names. Source: apiextensions-apiserver's schemaCoercingDecoder and unstructuredDefaulter.
 * @throws DecodeError
 */
export function decodeObject (bytes: Buffer, encoding: 'json' | 'yaml', target: { resource: Resource; version: ResourceVersion }, fieldValidation: FieldValidation): Decoded {
  const tracked = fieldValidation !== 'Ignore'
  const parsed = parse(bytes, encoding)
  const type = typeOf(parsed.value)
  const value = parsed.value
  if (!isObject(value) || typeof value['kind'] !== 'string' || value['kind'] === '') {
    const text = tracked || encoding === 'json' ? bytes.toString() : printJson(value)
    throw new DecodeError(`Object 'Kind' is missing in '${text}'`, tracked ? undefined : { ...type, kind: type.kind || target.resource.names.kind, version: type.version || target.version.name })
  }
  const strict = tracked ? [...parsed.duplicates] : []
  coerce(value, type, target.resource, strict, tracked)
  return { object: value as unknown as KubeObject, strict }
}

/** The same for a value that exists already: the result of a patch. `source` is its JSON, for messages. */
export function decodeValue (value: JsonValue, source: () => string, target: { resource: Resource; version: ResourceVersion }, fieldValidation: FieldValidation): Decoded {
  const type = typeOf(value)
  if (!isObject(value) || typeof value['kind'] !== 'string' || value['kind'] === '') throw new DecodeError(`Object 'Kind' is missing in '${source()}'`)
  const strict: string[] = []
  coerce(value, type, target.resource, strict, fieldValidation !== 'Ignore')
  return { object: value as unknown as KubeObject, strict }
}

function parse (bytes: Buffer, encoding: 'json' | 'yaml'): Parsed {
  if (encoding === 'yaml') {
    try {
      return parseYaml(bytes)
    } catch (error) {
      throw new DecodeError((error as Error).message)
    }
  }
  try {
    return parseJson(bytes)
  } catch (error) {
    // A number that no double holds is found after kind and apiVersion have been read.
    if (error instanceof JsonTypeError) throw new DecodeError(error.message, typeOf(error.value))
    throw new DecodeError(typeMetaErrorPrefix + (error as Error).message)
  }
}

function typeOf (value: JsonValue): TypeMeta {
  try {
    return interpretTypeMeta(value)
  } catch (error) {
    throw new DecodeError((error as Error).message)
  }
}

/** Metadata, pruning and defaults, in place; what is unknown is added to `strict`. */
function coerce (value: JsonObject, type: TypeMeta, resource: Resource, strict: string[], tracked: boolean): void {
  const { apiVersion } = value
  if (apiVersion !== undefined && typeof apiVersion !== 'string') {
    throw new DecodeError(`.apiVersion accessor error: ${goValue(apiVersion)} is of the type ${goType(apiVersion)}, expected string`, type)
  }
  const unknown: string[] = []
  if (value['metadata'] !== undefined) {
    try {
      const decoded = decodeObjectMeta(value['metadata'])
      value['metadata'] = decoded.meta as unknown as JsonObject
      unknown.push(...decoded.unknown)
    } catch (error) {
      throw new DecodeError((error as Error).message, type)
    }
  } else {
    value['metadata'] = {}
  }
  if (type.group === resource.group && value['kind'] === resource.names.kind) {
    const version = resource.versions.find(v => v.name === type.version)
    if (version === undefined) {
      for (const key of Object.keys(value).sort()) {
        if (key === 'apiVersion' || key === 'kind' || key === 'metadata') continue
        delete value[key]
        unknown.push(key)
      }
    } else {
      unknown.push(...version.compiled.prune(value))
      const embedded = version.compiled.coerceEmbedded(value, { dropInvalid: false })
      if (embedded.error !== undefined) throw new DecodeError(fieldErrorText(embedded.error), type)
      unknown.push(...embedded.unknown)
      version.compiled.applyDefaults(value)
    }
  }
  if (tracked) strict.push(...unknown.map(path => `unknown field "${path}"`))
}

/**
 * Decodes the body of a POST or PUT, with upstream's 400 texts. Strict findings are warnings or a failure, as fieldValidation says.
 * @throws StatusError 400
 */
export function decodeBody (bytes: Buffer, encoding: 'json' | 'yaml', target: { resource: Resource; version: ResourceVersion }, fieldValidation: FieldValidation, warn: (text: string) => void): KubeObject {
  const { kind } = target.resource.names
  let decoded: Decoded
  try {
    decoded = decodeObject(bytes, encoding, target, fieldValidation)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw newBadRequest(error.known === undefined || error.known.kind === ''
      ? `the object provided is unrecognized (must be of type ${kind}): ${error.message} (${describeBody(bytes)})`
      : `${error.known.kind} in version ${goQuote(error.known.version)} cannot be handled as a ${kind}: ${error.message}`)
  }
  const { object, strict } = decoded
  const apiVersion = object.apiVersion ?? ''
  if (strict.length > 0 && fieldValidation === 'Strict') {
    throw newBadRequest(`${object.kind} in version ${goQuote(apiVersion.split('/').at(-1)!)} cannot be handled as a ${kind}: strict decoding error: ${strict.join(', ')}`)
  }
  for (const text of strict) for (const line of warningLines(text)) warn(line)
  if (apiVersion !== target.version.apiVersion) {
    throw newBadRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${target.version.apiVersion})`)
  }
  return object
}

/** YAML duplicates are one error of several lines and one warning a line. */
export function warningLines (text: string): string[] {
  const body = /^(?:error converting YAML to JSON: )?yaml: unmarshal errors:\n([\s\S]*)$/.exec(text)?.[1]
  return body === undefined ? [text] : body.split('\n').map(l => l.trim())
}

