import { decodeUtf8 } from '../../registry/codec/go-utf8.js'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { JsonSyntaxError, JsonTypeError, jsonTypeName } from '../../registry/codec/json-errors.js'
import { maxNestingDepth, parseJson } from '../../registry/codec/json-parse.js'
import { scanJson, StrictErrors } from '../../registry/codec/json-scan.js'
import { getMember, isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { decodeDocument, printDocument, Raw } from './patch-document.js'
import { PatchError, type Patched, type PatchOptions } from './patch-error.js'
import { PatchTarget, type Operation } from './patch-target.js'

const maxOperations = 10000

/**
 * Applies the body of an `application/json-patch+json` request (RFC 6902) as kube-apiserver does with gopkg.in/evanphx/json-patch.v4.
 * The result shares nothing with the target, so that it may be decoded in place; it is an array if the patch replaced the root by one.
 * Throws PatchError.
 */
export function applyJsonPatch (target: JsonObject, body: Buffer | string, options: PatchOptions): Patched {
  const { operations, strictErrors, duplicates } = decodeJsonPatch(body, options)
  const document = new PatchTarget(target)
  for (const operation of operations) document.apply(operation)
  const text = (): string => printDocument(document.root)
  const { value, rangeError } = decodeDocument(document.root)
  return {
    value: cloneJson(value),
    rangeError,
    strictErrors: options.strict && duplicates ? [...strictErrors, ...parseJson(text()).duplicates] : strictErrors,
    text
  }
}

interface DecodedPatch {
  operations: Operation[]
  strictErrors: string[]
  /** Whether some object of the patch has a name twice. */
  duplicates: boolean
}

/** Reads the operations of a patch. Throws PatchError of kind decode or tooLarge. */
export function decodeJsonPatch (body: Buffer | string, options: PatchOptions): DecodedPatch {
  const scan = new PatchScan(typeof body === 'string' ? body.toWellFormed() : decodeUtf8(body))
  const refuse = (message: string): PatchError => new PatchError('decode', options.strict ? `error decoding patch: ${message}` : message)
  let patch: JsonValue
  try {
    patch = scan.run()
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw refuse(error.message)
    throw error
  }
  const [listType, elementType] = options.strict ? ['[]handlers.jsonPatchOp', 'handlers.jsonPatchOp'] : ['jsonpatch.Patch', 'jsonpatch.Operation']
  if (patch !== null && !Array.isArray(patch)) throw refuse(`json: cannot unmarshal ${jsonTypeName(patch)} into Go value of type ${listType}`)
  const operations = (patch ?? []).map((element, i): Operation => {
    if (element !== null && !isObject(element)) throw refuse(`json: cannot unmarshal ${jsonTypeName(element)} into Go value of type ${elementType}`)
    const wrongType = options.strict && element !== null ? findWrongType(element, scan.outOfRange.get(i)) : undefined
    if (wrongType !== undefined) throw refuse(wrongType)
    return toOperation(element ?? {}, scan.values.get(i))
  })
  if (operations.length > maxOperations) {
    throw new PatchError('tooLarge', `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${operations.length}`)
  }
  return { operations, strictErrors: options.strict ? scan.strictErrors.texts.map(text => `json patch ${text}`) : [], duplicates: scan.duplicates }
}

const isKnown = (key: unknown): boolean => key === 'op' || key === 'path' || key === 'from' || key === 'value'

/** One reading of a patch, which notes what the values of the parsed patch do not show. */
class PatchScan {
  readonly #text: string
  /** The text of the value of each operation. */
  readonly values = new Map<number, string>()
  /** The first number out of range in the value of an operation. */
  readonly outOfRange = new Map<number, string>()
  readonly strictErrors = new StrictErrors()
  duplicates = false

  constructor (text: string) {
    this.#text = text
  }

  run (): JsonValue {
    try {
      return scanJson(this.#text, { maxDepth: maxNestingDepth, onName: this.#onName, onValue: this.#onValue }).value
    } catch (error) {
      if (error instanceof JsonTypeError) return error.value
      throw error
    }
  }

  /** Nothing is looked for inside members that an operation does not have. */
  readonly #onName = (path: ReadonlyArray<string | number>, isDuplicate: boolean): void => {
    this.duplicates ||= isDuplicate
    if (typeof path[0] !== 'number') return
    if (isKnown(path[1])) {
      if (isDuplicate) this.strictErrors.add('duplicate', path)
    } else if (path.length === 2) {
      this.strictErrors.add('unknown', path)
    }
  }

  readonly #onValue = (path: ReadonlyArray<string | number>, value: JsonValue, start: number, end: number): void => {
    const i = path[0]
    if (path[1] !== 'value' || typeof i !== 'number') return
    if (path.length === 2) this.values.set(i, this.#text.slice(start, end))
    if (value === null && this.#text[start] !== 'n' && !this.outOfRange.has(i)) this.outOfRange.set(i, this.#text.slice(start, end))
  }
}

function findWrongType (element: JsonObject, outOfRange: string | undefined): string | undefined {
  for (const key in element) {
    const member = element[key] as JsonValue
    if (key === 'value') {
      if (outOfRange !== undefined) return `json: cannot unmarshal number ${outOfRange} into Go struct field jsonPatchOp.value of type float64`
    } else if (isKnown(key) && member !== null && typeof member !== 'string') {
      return `json: cannot unmarshal ${jsonTypeName(member)} into Go struct field jsonPatchOp.${key} of type string`
    }
  }
  return undefined
}

function toOperation (element: JsonObject, value: string | undefined): Operation {
  const string = (key: string): string | undefined => {
    const member = getMember(element, key)
    return typeof member === 'string' ? member : undefined
  }
  return { op: string('op'), path: string('path'), from: string('from'), value: value === undefined ? undefined : new Raw(value) }
}
