import { JsonSyntaxError } from './json-errors.js'
import { parseGoNumber } from './json-number.js'
import { maxNestingDepth, type ParsedJson } from './json-parse.js'
import { printJson, sortedKeys } from './json-print.js'
import { formatFloat } from './go-float.js'
import { setMember, type JsonObject, type JsonValue } from './value.js'
import { composeDocument } from './yaml-composer.js'
import { goSyntax, YamlDecoder, type GoValue, type MappingValue } from './yaml-decode.js'
import type { Scalar } from './yaml-resolve.js'

export { YamlError } from './yaml-reader.js'
export { printYaml } from './yaml-print.js'

/**
 * Decodes the first document of a YAML text as sigs.k8s.io/yaml does (yaml.v2, YAML 1.1), and then the JSON that it stands for as
 * parseJson does. Without any document the value is null. `duplicates` has at most one entry, for all keys that a mapping has twice:
 * `yaml: unmarshal errors:` and a line for each. Throws YamlError for what is no YAML, and other errors, with Go's texts too, for what
 * has no JSON form.
 */
export function parseYaml (input: Buffer | string): ParsedJson {
  const document = composeDocument(typeof input === 'string' ? Buffer.from(input) : input)
  if (document === undefined) return { value: null, duplicates: [] }
  const decoder = new YamlDecoder()
  const decoded = decoder.decode(document)
  checkKeys(decoded)
  const value = toJson(decoded, maxNestingDepth)
  return { value, duplicates: decoder.duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n${decoder.duplicates.map(line => `  ${line}`).join('\n')}`] }
}

/** YAML that JSON cannot express: `json: unsupported value: NaN`, `unsupported map key of type: …`. */
export class UnsupportedYamlError extends Error {
  override readonly name = 'UnsupportedYamlError'
}

/** All keys are looked at before any value is. */
function checkKeys (v: GoValue): void {
  if (v.type === 'sequence') v.items.forEach(checkKeys)
  if (v.type !== 'mapping') return
  for (const { key, value } of v.entries.values()) {
    keyText(key, value)
    checkKeys(value)
  }
}

function toJson (v: GoValue, depth: number): JsonValue {
  switch (v.type) {
    case 'null': return null
    case 'bool': case 'string': return v.value
    case 'int': case 'uint': return parseGoNumber(v.value.toString()) as number | bigint
    case 'float':
      if (!Number.isFinite(v.value)) throw new UnsupportedYamlError(`json: unsupported value: ${formatFloat(v.value)}`)
      return parseGoNumber(printJson(v.value)) as number | bigint
  }
  if (depth === 0) throw new JsonSyntaxError(`invalid character '${v.type === 'mapping' ? '{' : '['}' exceeded max depth`)
  return v.type === 'sequence' ? v.items.map(item => toJson(item, depth - 1)) : objectOf(v, depth)
}

/** Members sorted, since the errors in them are found in that order. */
function objectOf (v: MappingValue, depth: number): JsonObject {
  const byText: Record<string, GoValue> = {}
  for (const { key, value } of v.entries.values()) setMember(byText as JsonObject, keyText(key, value), value as unknown as JsonValue)
  const object: JsonObject = {}
  for (const key of sortedKeys(byText)) setMember(object, key, toJson(byText[key] as GoValue, depth - 1))
  return object
}

function keyText (key: Scalar, value: GoValue): string {
  switch (key.type) {
    case 'string': return key.value
    case 'int': case 'bool': return String(key.value)
    case 'float': {
      const text = formatFloat(key.value, 32)
      return text === 'NaN' ? '.nan' : text.replace(/^\+Inf$/, '.inf').replace(/^-Inf$/, '-.inf')
    }
    case 'null': throw new UnsupportedYamlError(`unsupported map key of type: %!s(<nil>), key: <nil>, value: ${goSyntax(value)}`)
    case 'uint': throw new UnsupportedYamlError(`unsupported map key of type: uint64, key: ${goSyntax(key)}, value: ${goSyntax(value)}`)
  }
}
