import { JsonTypeError, jsonTypeName } from './json-errors.js'
import { isObject, type JsonValue } from './value.js'

/** What a body says of its type; empty strings where it says nothing. */
export interface TypeMeta { apiVersion: string; group: string; version: string; kind: string }

/** Stands before the text of a JSON error when kind and apiVersion could not be read because of it. */
export const typeMetaErrorPrefix = "couldn't get version/kind; json parse error: "

/**
 * Reads kind and apiVersion as kube-apiserver does before it decodes the rest (apimachinery's SimpleMetaFactory). Unlike the rest, these
 * two names match in any case. Throws JsonTypeError with the whole message, prefix included.
 */
export function interpretTypeMeta (value: JsonValue): TypeMeta {
  let apiVersion = ''
  let kind = ''
  if (value !== null && !isObject(value)) {
    throw new JsonTypeError(`${typeMetaErrorPrefix}json: cannot unmarshal ${jsonTypeName(value)} into Go value of type ${goTypeMeta}`, value)
  }
  for (const key in value) {
    const field = /^kind$/iu.test(key) ? 'kind' : /^apiVersion$/iu.test(key) ? 'apiVersion' : undefined
    if (field === undefined) continue
    const member = value[key]
    if (member === null || member === undefined) continue
    if (typeof member !== 'string') {
      throw new JsonTypeError(`${typeMetaErrorPrefix}json: cannot unmarshal ${jsonTypeName(member)} into Go struct field .${field} of type string`, value)
    }
    if (field === 'kind') kind = member
    else apiVersion = member
  }
  if (apiVersion === '' || apiVersion === '/') return { apiVersion, group: '', version: '', kind }
  const parts = apiVersion.split('/')
  if (parts.length > 2) throw new JsonTypeError(`unexpected GroupVersion string: ${apiVersion}`, value)
  return { apiVersion, group: parts.length === 2 ? parts[0]! : '', version: parts.at(-1)!, kind }
}

const goTypeMeta = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
