import { goQuote } from '../meta/go-format.js'
import { formatFloat } from './go-float.js'
import { decodeUtf8 } from './go-utf8.js'
import type { MappingNode, ScalarNode, YamlNode } from './yaml-composer.js'
import { YamlError } from './yaml-reader.js'
import { resolveScalar, type Scalar } from './yaml-resolve.js'

export interface SequenceValue { readonly type: 'sequence', readonly items: GoValue[] }
export interface MappingValue {
  readonly type: 'mapping'
  /** By type and value of the key, so that 1, 1.0 and "1" are three keys. */
  readonly entries: Map<string, { key: Scalar, value: GoValue }>
}
/** What yaml.v2 decodes into an `interface{}`. */
export type GoValue = Scalar | SequenceValue | MappingValue

// yaml.v2's limits of what aliases may expand to.
const smallDocument = 400_000
const largeDocument = 4_000_000
// What they do not limit: how long the strings are.
const maxAliasedLength = 16 * 1024 * 1024

/** Decodes a composed document as yaml.v2 does. Throws YamlError. */
export class YamlDecoder {
  /** Keys that a mapping had already, `line 5: key "spec" already set in map`; the last one wins all the same. */
  readonly duplicates: string[] = []
  readonly #aliases = new Set<YamlNode>()
  #decoded = 0
  #aliased = 0
  #aliasedLength = 0

  decode (node: YamlNode): GoValue {
    this.#count(node)
    switch (node.kind) {
      case 'scalar': return decodeScalar(node)
      case 'sequence': return { type: 'sequence', items: node.items.map(item => this.decode(item)) }
      case 'mapping': {
        const mapping: MappingValue = { type: 'mapping', entries: new Map() }
        this.#fill(mapping, node)
        return mapping
      }
      case 'alias': return this.#within(node, () => this.decode(node.target))
    }
  }

  #count (node: YamlNode): void {
    this.#decoded++
    if (this.#aliases.size > 0) {
      this.#aliased++
      if (node.kind === 'scalar') this.#aliasedLength += node.value.length
    }
    const isExcessive = this.#aliased > 100 && this.#decoded > 1000 && this.#aliased / this.#decoded > allowedAliasRatio(this.#decoded)
    if (isExcessive || this.#aliasedLength > maxAliasedLength) throw new YamlError('document contains excessive aliasing')
  }

  #within<T> (alias: YamlNode & { kind: 'alias' }, step: () => T): T {
    if (this.#aliases.has(alias)) throw new YamlError(`anchor '${alias.name}' value contains itself`)
    this.#aliases.add(alias)
    const result = step()
    this.#aliases.delete(alias)
    return result
  }

  #fill (mapping: MappingValue, node: MappingNode): void {
    for (const [keyNode, valueNode] of node.pairs) {
      if (isMerge(keyNode)) {
        this.#merge(mapping, valueNode)
        continue
      }
      const key = this.decode(keyNode)
      if (key.type === 'sequence' || key.type === 'mapping') throw new YamlError(`invalid map key: ${goSyntax(key)}`)
      const value = this.decode(valueNode)
      const id = keyId(key, mapping)
      if (mapping.entries.has(id)) this.duplicates.push(`line ${valueNode.line + 1}: key ${goSyntax(key)} already set in map`)
      mapping.entries.set(id, { key, value })
    }
  }

  /** Members of a merged mapping are set like those written there; of several mappings the first wins. */
  #merge (mapping: MappingValue, node: YamlNode): void {
    for (const source of node.kind === 'sequence' ? [...node.items].reverse() : [node]) this.#mergeOne(mapping, source)
  }

  #mergeOne (mapping: MappingValue, node: YamlNode): void {
    const target = node.kind === 'alias' ? node.target : node
    if (target.kind !== 'mapping') throw new YamlError('map merge requires map or sequence of maps as the value')
    this.#count(node)
    if (node.kind !== 'alias') return this.#fill(mapping, target)
    this.#within(node, () => {
      this.#count(target)
      this.#fill(mapping, target)
    })
  }
}

function allowedAliasRatio (decoded: number): number {
  if (decoded <= smallDocument) return 0.99
  if (decoded >= largeDocument) return 0.10
  return 0.99 - 0.89 * ((decoded - smallDocument) / (largeDocument - smallDocument))
}

const isMerge = (node: YamlNode): boolean =>
  node.kind === 'scalar' && node.value === '<<' && (node.implicit || node.tag === 'tag:yaml.org,2002:merge')

function decodeScalar (node: ScalarNode): Scalar {
  if (node.tag === '' && !node.implicit) return { type: 'string', value: node.value }
  if (node.tag === 'tag:yaml.org,2002:binary') return { type: 'string', value: decodeBinary(node.value) }
  return resolveScalar(node.tag, node.value)
}

function decodeBinary (text: string): string {
  const base64 = text.replace(/[\r\n]/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) throw new YamlError('!!binary value contains invalid base64 data')
  return decodeUtf8(Buffer.from(base64, 'base64'))
}

/** NaN is never equal to another key. */
function keyId (key: Scalar, mapping: MappingValue): string {
  if (key.type === 'null') return 'null'
  return key.type === 'float' && Number.isNaN(key.value) ? `NaN ${mapping.entries.size}` : `${key.type} ${key.value}`
}

/** A value as Go's `%#v` prints it. */
export function goSyntax (v: GoValue): string {
  switch (v.type) {
    case 'null': return '<nil>'
    case 'string': return goQuote(v.value)
    case 'uint': return `0x${v.value.toString(16)}`
    case 'float': return formatFloat(v.value)
    case 'sequence': return `[]interface {}{${v.items.map(inner).join(', ')}}`
    case 'mapping': return `map[interface {}]interface {}{${[...v.entries.values()].sort((a, b) => compareKeys(a.key, b.key)).map(e => `${inner(e.key)}:${inner(e.value)}`).join(', ')}}`
    default: return String(v.value)
  }
}

const inner = (v: GoValue): string => v.type === 'null' ? 'interface {}(nil)' : goSyntax(v)

// Go prints maps sorted: by the type of the keys, in the order in which the linker put the types, then by value.
const typeOrder = ['null', 'string', 'uint', 'int', 'float', 'bool']

function compareKeys (a: Scalar, b: Scalar): number {
  if (a.type !== b.type) return typeOrder.indexOf(a.type) - typeOrder.indexOf(b.type)
  if (a.type === 'null' || b.type === 'null') return 0
  return Number.isNaN(a.value) || a.value < b.value ? -1 : a.value > b.value ? 1 : 0
}
