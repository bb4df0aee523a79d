import { JsonTypeError, jsonTypeName } from '../codec/json-errors.js'
import { isInt64 } from '../codec/json-number.js'
import { printJson, sortedKeys } from '../codec/json-print.js'
import { fieldPath } from '../codec/json-scan.js'
import { isObject, setMember, type JsonObject, type JsonValue } from '../codec/value.js'
import { parseGoTime, TimeParseError } from './go-time.js'
import type { ObjectMeta } from './object-meta.js'

export interface DecodedMeta {
  /** With every member of its right type, and without the empty ones that Go leaves out. */
  meta: ObjectMeta
  /** Paths of members that ObjectMeta does not have, `metadata.foo`, in the order in which kube-apiserver reports them, at most 100. */
  unknown: string[]
}

/**
 * Turns the metadata of a custom resource into an ObjectMeta as kube-apiserver does on create, update and patch alike (apiextensions'
 * schemaobjectmeta: encode, decode into the Go struct, encode again): null is as good as absent, empty values vanish, times are written
 * in UTC and whole seconds, unknown members are dropped and reported. `path` is where the metadata stands, other than "metadata" in an
 * embedded resource. Throws JsonTypeError with Go's text for what has a wrong type, and TimeParseError for what is no time.
 */
export function decodeObjectMeta (metadata: JsonValue, path = 'metadata'): DecodedMeta {
  const decoder = new Decoder(metadata)
  const meta = decoder.struct(metadata, objectMeta)
  if (decoder.typeError !== undefined) throw new JsonTypeError(decoder.typeError, metadata)
  return { meta: (meta ?? {}) as ObjectMeta, unknown: decoder.unknown.map(field => `${path}.${field}`) }
}

/** Decodes one value; undefined means that Go would leave the field out when it writes the struct again. */
type FieldDecoder = (decoder: Decoder, value: JsonValue) => JsonValue | undefined

interface Struct {
  readonly name: string
  readonly fields: ReadonlyMap<string, FieldDecoder>
  /** What the struct has even if the document does not name it. */
  readonly always: readonly string[]
}

const maxUnknown = 100

class Decoder {
  readonly #root: JsonValue
  /** Where the decoder is, with list indexes but without the keys of maps, and the struct it is in: Go's errors name both, without the indexes. */
  readonly #path: Array<string | number> = []
  #struct = ''
  readonly unknown: string[] = []
  /** The first wrong type. Decoding goes on after it, since a bad time further on would be reported instead. */
  typeError: string | undefined

  constructor (root: JsonValue) {
    this.#root = root
  }

  wrongType (value: JsonValue, goType: string, detail = ''): undefined {
    this.typeError ??= this.#message(value, goType, detail)
  }

  #message (value: JsonValue, goType: string, detail = ''): string {
    const fields = this.#path.filter(part => typeof part === 'string')
    const target = this.#struct === '' ? 'Go value' : `Go struct field ${this.#struct}.${fields.join('.')}`
    return `json: cannot unmarshal ${jsonTypeName(value)}${detail} into ${target} of type ${goType}`
  }

  struct (value: JsonValue, type: Struct): JsonObject | undefined {
    if (value === null) return undefined
    if (!isObject(value)) return this.wrongType(value, `v1.${type.name}`)
    const out: JsonObject = {}
    const outer = this.#struct
    for (const key of sortedKeys(value)) {
      const decode = type.fields.get(key)
      if (decode === undefined) {
        if (this.unknown.length < maxUnknown) this.unknown.push(fieldPath([...this.#path, key]))
        continue
      }
      this.#struct = type.name
      this.#path.push(key)
      const member = decode(this, value[key] as JsonValue)
      this.#path.pop()
      if (member !== undefined) out[key] = member
    }
    this.#struct = outer
    for (const key of type.always) out[key] ??= ''
    return out
  }

  list (value: JsonValue, goType: string, item: (value: JsonValue) => JsonValue): JsonValue[] | undefined {
    if (value === null) return undefined
    if (!Array.isArray(value)) return this.wrongType(value, `[]${goType}`)
    if (value.length === 0) return undefined
    return value.map((v, i) => {
      this.#path.push(i)
      const decoded = item(v)
      this.#path.pop()
      return decoded
    })
  }

  string (value: JsonValue, goType: string): string {
    if (typeof value === 'string') return value
    if (value !== null) this.wrongType(value, goType)
    return ''
  }

  /** An error in a time ends Go's decoding at once. */
  time (value: JsonValue): { text: string; isZero: boolean } | undefined {
    if (value === null) return undefined
    if (typeof value !== 'string') throw new JsonTypeError(this.#message(value, 'string'), this.#root)
    return parseGoTime(value)
  }

  int64 (value: JsonValue): number | bigint | undefined {
    if (value === null) return undefined
    if (typeof value !== 'number' && typeof value !== 'bigint') return this.wrongType(value, 'int64')
    const literal = printJson(value)
    if (!isInt64(value) || /[.e]/.test(literal)) return this.wrongType(value, 'int64', ` ${literal}`)
    return typeof value === 'number' ? value + 0 : value
  }
}

const string = (goType = 'string'): FieldDecoder => (d, v) => d.string(v, goType) || undefined
const bool: FieldDecoder = (d, v) => typeof v === 'boolean' ? v : v === null ? undefined : d.wrongType(v, 'bool')
const time: FieldDecoder = (d, v) => {
  const t = d.time(v)
  return t === undefined || t.isZero ? undefined : t.text
}
/** A pointer: present even if it is the zero time. */
const optionalTime: FieldDecoder = (d, v) => {
  const t = d.time(v)
  return t?.isZero === true ? null : t?.text
}
const stringMap: FieldDecoder = (d, v) => {
  if (v === null) return undefined
  if (!isObject(v)) return d.wrongType(v, 'map[string]string')
  const out: JsonObject = {}
  const keys = sortedKeys(v)
  for (const key of keys) setMember(out, key, d.string(v[key] as JsonValue, 'string'))
  return keys.length > 0 ? out : undefined
}
const structs = (type: Struct): FieldDecoder => (d, v) => d.list(v, `v1.${type.name}`, item => d.struct(item, type) ?? Object.fromEntries(type.always.map(key => [key, ''])))

const struct = (name: string, fields: Record<string, FieldDecoder>, always: readonly string[] = []): Struct => ({ name, fields: new Map(Object.entries(fields)), always })

const ownerReference = struct('OwnerReference', {
  apiVersion: string(), kind: string(), name: string(), uid: string('types.UID'), controller: bool, blockOwnerDeletion: bool
}, ['apiVersion', 'kind', 'name', 'uid'])

const managedFieldsEntry = struct('ManagedFieldsEntry', {
  manager: string(),
  operation: string('v1.ManagedFieldsOperationType'),
  apiVersion: string(),
  time: optionalTime,
  fieldsType: string(),
  fieldsV1: (_, v) => v ?? undefined,
  subresource: string()
})

const objectMeta = struct('ObjectMeta', {
  name: string(),
  generateName: string(),
  namespace: string(),
  selfLink: string(),
  uid: string('types.UID'),
  resourceVersion: string(),
  generation: (d, v) => d.int64(v) || undefined,
  creationTimestamp: time,
  deletionTimestamp: optionalTime,
  deletionGracePeriodSeconds: (d, v) => d.int64(v),
  labels: stringMap,
  annotations: stringMap,
  ownerReferences: structs(ownerReference),
  finalizers: (d, v) => d.list(v, 'string', item => d.string(item, 'string')),
  managedFields: structs(managedFieldsEntry)
})

/** Whether an error of decodeObjectMeta says what is wrong with the metadata, rather than with this server. */
export const isMetaError = (error: unknown): error is JsonTypeError | TimeParseError => error instanceof JsonTypeError || error instanceof TimeParseError
