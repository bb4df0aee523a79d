import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { isObject, type JsonValue } from '../codec/value.js'
import { parseYaml } from '../codec/yaml.js'
import { defineResource, InvalidDefinitionError } from '../generic/define-resource.js'
import type { ResourceDefinition } from '../generic/resource-definition.js'
import type { Resource } from '../generic/resource.js'
import { resourceDefinitionOf } from './manifest.js'

/** A file of `--crd-file` that cannot be served; every problem names the file and the field. */
export class CrdFileError extends Error {
  override readonly name = 'CrdFileError'
  readonly problems: readonly string[]
  constructor (problems: readonly string[]) {
    super(`CustomResourceDefinition manifests cannot be served:\n${problems.map(p => `  - ${p}`).join('\n')}`)
    this.problems = problems
  }
}

/**
 * Reads the CustomResourceDefinitions of files and of every `.yaml`, `.yml` and `.json` file in directories; other kinds in the same files
 * are an error, since leaving them out silently would surprise. Several documents in one file are fine, and so are Lists.
 * @throws CrdFileError listing everything that is wrong
 */
export function loadCrdFiles (paths: readonly string[]): Resource[] {
  const problems: string[] = []
  const resources = new Map<string, { resource: Resource; file: string }>()
  for (const file of paths.flatMap(p => filesOf(p, problems))) {
    for (const [index, document] of documentsOf(file, problems).entries()) {
      const where = `${file}${index === 0 ? '' : ` (document ${index + 1})`}`
      const { definition, problems: found } = resourceDefinitionOf(document)
      problems.push(...found.map(p => `${where}: ${p}`))
      if (definition === undefined || found.length > 0) continue
      const name = `${definition.names.plural}.${definition.group}`
      const other = resources.get(name)
      if (other !== undefined) {
        problems.push(`${where}: ${name} is defined in ${other.file} already`)
        continue
      }
      const resource = defined(definition, where, problems)
      if (resource !== undefined) resources.set(name, { resource, file: where })
    }
  }
  if (problems.length > 0) throw new CrdFileError(problems)
  return [...resources.values()].map(r => r.resource)
}

function defined (definition: ResourceDefinition, where: string, problems: string[]): Resource | undefined {
  try {
    return defineResource(definition)
  } catch (error) {
    if (!(error instanceof InvalidDefinitionError)) throw error
    problems.push(...error.problems.map(p => `${where}: ${p}`))
    return undefined
  }
}

function filesOf (p: string, problems: string[]): string[] {
  try {
    if (!statSync(p).isDirectory()) return [p]
    return readdirSync(p).filter(f => /\.(ya?ml|json)$/.test(f)).sort().map(f => path.join(p, f))
  } catch (error) {
    problems.push(`${p}: cannot be read: ${(error as Error).message}; check the path given to --crd-file`)
    return []
  }
}

function documentsOf (file: string, problems: string[]): unknown[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    problems.push(`${file}: cannot be read: ${(error as Error).message}`)
    return []
  }
  const out: unknown[] = []
  for (const [index, document] of splitDocuments(text).entries()) {
    let value: JsonValue
    try {
      value = asNumbers(parseYaml(document).value)
    } catch (error) {
      problems.push(`${file}${index === 0 ? '' : ` (document ${index + 1})`}: is not YAML: ${(error as Error).message}`)
      return []
    }
    if (value === null) continue
    const { kind, items } = isObject(value) ? value : {}
    if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) out.push(...items)
    else out.push(value)
  }
  return out
}

/** Documents are separated by lines that begin with `---`, as kubectl separates them. */
const splitDocuments = (text: string): string[] => text.split(/^---(?=\s|$).*$/m).filter(d => d.trim() !== '')

/** Schema keywords are doubles: an int64 that a double cannot hold is a bound that no such value reaches. */
function asNumbers (value: JsonValue): JsonValue {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(asNumbers)
  if (!isObject(value)) return value
  for (const key of Object.keys(value)) value[key] = asNumbers(value[key]!)
  return value
}
