import type { ErrorObject, ValidateFunction } from 'ajv'
import { readFile } from 'node:fs/promises'
import { child, index, mapKey } from '../../registry/meta/field-error.js'

/** One thing wrong in a configuration file. */
export interface ConfigFileProblem {
  /** Index of the YAML document, from 0. */
  readonly document: number
  /** `rules[0].verbs`; empty for the whole document. */
  readonly field: string
  readonly message: string
}

/** Everything wrong with a configuration file, one line each: `file: document 1: rules[0].verbs: why`. */
export class ConfigFileError extends Error {
  override readonly name = 'ConfigFileError'
  readonly file: string
  readonly problems: readonly ConfigFileProblem[]

  constructor (file: string, problems: readonly ConfigFileProblem[], options?: { cause?: unknown }) {
    super(problems.map(p => `${file}: ${p.document < 0 ? '' : `document ${p.document}: `}${p.field === '' ? '' : `${p.field}: `}${p.message}`).join('\n'), options)
    this.file = file
    this.problems = problems
  }
}

/** The text of a configuration file. @throws ConfigFileError */
export async function readConfigFile (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new ConfigFileError(file, [{ document: -1, field: '', message: `cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})` }], { cause })
  }
}

/**
 * The documents of a YAML (or JSON) text as plain values; empty documents are left out but counted. Repeated keys are errors.
 * @throws ConfigFileError with the line and column of every syntax error
 */
export async function parseYamlDocuments (text: string, file: string): Promise<{ document: number; value: unknown }[]> {
  const { parseAllDocuments } = await import('yaml')
  const documents = [...parseAllDocuments(text, { prettyErrors: true, logLevel: 'silent' })]
  const problems = documents.flatMap((d, document) => d.errors.map(e => ({ document, field: '', message: e.message.split('\n')[0]!.replace(/:$/, '') })))
  if (problems.length > 0) throw new ConfigFileError(file, problems)
  return documents.map((d, document) => {
    try {
      return { document, value: d.toJS() as unknown }
    } catch (cause) {
      throw new ConfigFileError(file, [{ document, field: '', message: (cause as Error).message }], { cause })
    }
  }).filter(d => d.value !== null && d.value !== undefined)
}

/** Compiles a schema when it is first needed: most servers start without any configuration file, and ajv takes its time. */
export class LazySchema<T> {
  readonly #schema: object
  #validate: Promise<ValidateFunction<T>> | undefined

  constructor (schema: object) {
    this.#schema = schema
  }

  /** What is wrong with a value; nothing means that it is a T. Field paths begin with `prefix`. */
  async problems (value: unknown, document: number, prefix = ''): Promise<ConfigFileProblem[]> {
    this.#validate ??= import('ajv').then(({ Ajv }) => new Ajv({ allErrors: true, strict: true, allowUnionTypes: true, verbose: true }).compile<T>(this.#schema))
    const validate = await this.#validate
    return validate(value) ? [] : (validate.errors ?? []).map(e => ({ document, ...translate(e, prefix) }))
  }
}

function translate (e: ErrorObject, prefix: string): { field: string; message: string } {
  const field = fieldPath(e.instancePath, prefix)
  const params = e.params as Record<string, unknown>
  const value = (): string => JSON.stringify(e.data)
  switch (e.keyword) {
    case 'additionalProperties': return { field: child(field, String(params['additionalProperty'])), message: 'unknown field' }
    case 'required': return { field: child(field, String(params['missingProperty'])), message: 'Required value' }
    case 'type': return { field, message: `Invalid value: ${value()}: must be of type ${String(params['type'])}` }
    case 'const': return { field, message: `Unsupported value: ${value()}: supported values: ${JSON.stringify(params['allowedValue'])}` }
    case 'enum': return { field, message: `Unsupported value: ${value()}: supported values: ${(params['allowedValues'] as unknown[]).map(v => JSON.stringify(v)).join(', ')}` }
    case 'minLength': return { field, message: 'Required value' }
    case 'minItems': return { field, message: `Required value: must have at least ${String(params['limit'])} item${params['limit'] === 1 ? '' : 's'}` }
    default: return { field, message: `Invalid value: ${value()}: ${e.message ?? e.keyword}` }
  }
}

/** A JSON pointer as Kubernetes writes field paths: `/rules/0/verbs` is `rules[0].verbs`. */
function fieldPath (pointer: string, prefix: string): string {
  let path = prefix
  for (const token of pointer.split('/').slice(1)) {
    const part = token.replaceAll('~1', '/').replaceAll('~0', '~')
    path = /^\d+$/.test(part) ? index(path, Number(part)) : /^[\w-]+$/.test(part) ? child(path, part) : mapKey(path, part)
  }
  return path
}
