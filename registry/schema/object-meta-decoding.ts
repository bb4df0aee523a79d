import { jsonTypeName } from '../codec/json-errors.js'
import { goNumber } from '../meta/go-format.js'
import { isInt64 } from '../codec/json-number.js'
import { isObject, setMember, type JsonObject, type JsonValue } from '../codec/value.js'
import { formatRfc3339, parseRfc3339 } from './rfc3339.js'

/** Decoded metadata and the paths of members that ObjectMeta does not have (`labels`-like, relative), or why it cannot be decoded. */
export type DecodedObjectMeta = { readonly meta: JsonObject; readonly unknown: readonly string[] } | { readonly error: string }

/**
 * Decodes a value into ObjectMeta and back, as kube-apiserver does with metadata: unknown members and empty ones are dropped, timestamps
 * are brought to UTC seconds, a member of the wrong type is an error with the text of Go's decoder.
 * @param options.dropMalformed drops such members instead, where the value is an object at all
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/objectmeta/coerce.go`, `sigs.k8s.io/json`.
 */
export function decodeObjectMeta (value: JsonValue, options: { dropMalformed: boolean }): DecodedObjectMeta {
  const whole = tryDecode(value)
  if (!('error' in whole) || !options.dropMalformed) return whole
  if (!isObject(value)) return { error: `invalid metadata: expected object, got ${goTypeName(value)}` }
  const meta: JsonObject = {}
  const unknown: string[] = []
  for (const key of Object.keys(value)) {
    const one: JsonObject = {}
    setMember(one, key, value[key]!)
    const decoded = tryDecode(one)
    if ('error' in decoded) continue
    for (const name of Object.keys(decoded.meta)) meta[name] = decoded.meta[name]!
    unknown.push(...decoded.unknown)
  }
  return { meta, unknown }
}

function tryDecode (value: JsonValue): DecodedObjectMeta {
  const decoding = new Decoding()
  try {
    const meta = decoding.struct(value, objectMeta, '', '') as JsonObject
    return decoding.firstError === undefined ? { meta, unknown: decoding.unknown } : { error: decoding.firstError }
  } catch (error) {
    if (error instanceof Abort) return { error: error.message }
    throw error
  }
}

/** Go's decoder goes on after a wrong type, and reports the first; a malformed timestamp ends it at once. */
class Abort extends Error {}

type Decode = (d: Decoding, value: JsonValue, at: Place) => JsonValue | undefined
interface Struct { readonly name: string; readonly fields: Readonly<Record<string, { readonly decode: Decode; readonly zero?: JsonValue }>> }
/** Where a value stands: the innermost struct, the names from the root, the path as strict errors print it. */
interface Place { readonly struct: string; readonly names: string; readonly path: string }

class Decoding {
  firstError: string | undefined
  readonly unknown: string[] = []

  fail (value: string, type: string, at: Place): undefined {
    this.firstError ??= describe(value, type, at)
    return undefined
  }

  /** A struct with its non-empty members; those with a zero value are always there. */
  struct (value: JsonValue, struct: Struct, names: string, path: string, outer = ''): JsonValue | undefined {
    const out: JsonObject = {}
    for (const [name, { zero }] of Object.entries(struct.fields)) if (zero !== undefined) out[name] = zero
    if (value === null) return out
    if (!isObject(value)) return this.fail(jsonTypeName(value), `v1.${struct.name}`, { struct: outer, names, path })
    for (const key of Object.keys(value).sort()) {
      const at = { struct: struct.name, names: names === '' ? key : `${names}.${key}`, path: path === '' ? key : `${path}.${key}` }
      if (!Object.hasOwn(struct.fields, key)) {
        this.unknown.push(at.path)
        continue
      }
      const { decode, zero } = struct.fields[key]!
      const member = value[key] === null ? undefined : decode(this, value[key]!, at)
      if (member !== undefined) out[key] = member
      else if (zero === undefined) delete out[key]
    }
    return out
  }
}

function describe (value: string, type: string, at: Place): string {
  return `json: cannot unmarshal ${value} into Go ${at.names === '' ? 'value' : `struct field ${at.struct}.${at.names}`} of type ${type}`
}

const text = (type: string): Decode => (d, value, at) => typeof value === 'string' ? value === '' ? undefined : value : d.fail(jsonTypeName(value), type, at)
const string = text('string')

const int64 = (options: { keepZero: boolean }): Decode => (d, value, at) => {
  if (typeof value === 'bigint') return value
  if (typeof value !== 'number') return d.fail(jsonTypeName(value), 'int64', at)
  if (!isInt64(value)) return d.fail(`number ${goNumber(value)}`, 'int64', at)
  return value === 0 && !options.keepZero ? undefined : value
}

const boolean: Decode = (d, value, at) => typeof value === 'boolean' ? value : d.fail(jsonTypeName(value), 'bool', at)

const time: Decode = (_, value, at) => {
  if (typeof value !== 'string') throw new Abort(describe(jsonTypeName(value), 'string', at))
  const parsed = parseRfc3339(value)
  if ('error' in parsed) throw new Abort(parsed.error)
  const formatted = formatRfc3339(parsed.ms)
  return formatted === '0001-01-01T00:00:00Z' ? undefined : formatted
}

const strings: Decode = (d, value, at) => {
  if (!Array.isArray(value)) return d.fail(jsonTypeName(value), '[]string', at)
  const list = value.map(item => item === null ? '' : string(d, item, at) ?? '')
  return list.length === 0 ? undefined : list
}

const stringMap: Decode = (d, value, at) => {
  if (!isObject(value)) return d.fail(jsonTypeName(value), 'map[string]string', at)
  const keys = Object.keys(value).sort()
  const out: JsonObject = {}
  for (const key of keys) setMember(out, key, value[key] === null ? '' : string(d, value[key]!, at) ?? '')
  return keys.length === 0 ? undefined : out
}

const structs = (struct: Struct): Decode => (d, value, at) => {
  if (!Array.isArray(value)) return d.fail(jsonTypeName(value), `[]v1.${struct.name}`, at)
  const list = value.map((item, i) => d.struct(item, struct, at.names, `${at.path}[${i}]`, at.struct) ?? {})
  return list.length === 0 ? undefined : list
}

const ownerReference: Struct = {
  name: 'OwnerReference',
  fields: {
    apiVersion: { decode: string, zero: '' },
    kind: { decode: string, zero: '' },
    name: { decode: string, zero: '' },
    uid: { decode: text('types.UID'), zero: '' },
    controller: { decode: boolean },
    blockOwnerDeletion: { decode: boolean }
  }
}

const managedFieldsEntry: Struct = {
  name: 'ManagedFieldsEntry',
  fields: {
    manager: { decode: string },
    operation: { decode: text('v1.ManagedFieldsOperationType') },
    apiVersion: { decode: string },
    time: { decode: time },
    fieldsType: { decode: string },
    fieldsV1: { decode: (_, value) => value },
    subresource: { decode: string }
  }
}

const objectMeta: Struct = {
  name: 'ObjectMeta',
  fields: {
    name: { decode: string },
    generateName: { decode: string },
    namespace: { decode: string },
    selfLink: { decode: string },
    uid: { decode: text('types.UID') },
    resourceVersion: { decode: string },
    generation: { decode: int64({ keepZero: false }) },
    creationTimestamp: { decode: time },
    deletionTimestamp: { decode: time },
    deletionGracePeriodSeconds: { decode: int64({ keepZero: true }) },
    labels: { decode: stringMap },
    annotations: { decode: stringMap },
    ownerReferences: { decode: structs(ownerReference) },
    finalizers: { decode: strings },
    managedFields: { decode: structs(managedFieldsEntry) }
  }
}

function goTypeName (value: JsonValue): string {
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'string') return 'string'
  return typeof value === 'number' && !Number.isSafeInteger(value) ? 'float64' : 'int64'
}
