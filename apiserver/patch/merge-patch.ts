import { decodeUtf8 } from '../../registry/codec/go-utf8.js'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { JsonSyntaxError, JsonTypeError, jsonTypeName } from '../../registry/codec/json-errors.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { open, openObject, printDocument, Raw, setNode, type Node, type NodeObject } from './patch-document.js'
import { PatchError, type Patched, type PatchOptions } from './patch-error.js'

/**
 * Applies the body of an `application/merge-patch+json` request (RFC 7386). The result shares nothing with the target, so that it may be
 * decoded in place. With fieldValidation Ignore an array replaces the target, so the result may be one. Throws PatchError of kind decode.
 */
export function applyMergePatch (target: JsonObject, body: Buffer | string, options: PatchOptions): Patched {
  const { value: patch, duplicates, rangeError } = decode(body, options)
  if (patch === null || (!isObject(patch) && !(Array.isArray(patch) && !options.strict))) {
    const wrongType = patch !== null && options.strict
    throw new PatchError('decode', wrongType ? `error decoding patch: json: cannot unmarshal ${jsonTypeName(patch)} into Go value of type map[string]interface {}` : invalidPatch)
  }
  const text = (): string => printDocument(apply(target, new Raw((typeof body === 'string' ? body : decodeUtf8(body)).trim())))
  return {
    value: cloneJson(apply(target, patch) as JsonValue),
    strictErrors: options.strict && duplicates.length > 0 ? [...duplicates, ...parseJson(text()).duplicates] : [],
    rangeError,
    text
  }
}

const invalidPatch = 'Invalid JSON Patch'

function decode (body: Buffer | string, options: PatchOptions): { value: JsonValue, duplicates: string[], rangeError: string | undefined } {
  try {
    return { ...parseJson(body), rangeError: undefined }
  } catch (error) {
    if (error instanceof JsonTypeError && !options.strict) return { value: error.value, duplicates: [], rangeError: error.message }
    if (error instanceof JsonSyntaxError || error instanceof JsonTypeError) {
      throw new PatchError('decode', options.strict ? `error decoding patch: ${error.message}` : invalidPatch, { cause: error })
    }
    throw error
  }
}

const apply = (target: JsonObject, patch: Node): Node => openObject(patch) === undefined ? withoutNulls(patch) : merge(target, patch)

/**
 * RFC 7386 as gopkg.in/evanphx/json-patch.v4 does it. It differs in one thing: members that are null also vanish from the objects inside an
 * array of the patch, unless the array replaces an object.
 */
export const mergePatch = (target: JsonValue, patch: JsonValue): JsonValue => merge(target, patch) as JsonValue

function merge (target: Node, patch: Node): Node {
  const from = openObject(target)
  if (from === undefined) return withoutNulls(patch)
  const changes = openObject(patch)
  if (changes === undefined) return patch
  const merged: NodeObject = {}
  for (const key in from) {
    const member = from[key] as Node
    const change = Object.hasOwn(changes, key) ? changes[key] as Node : undefined
    if (change === undefined) setNode(merged, key, member)
    else if (change !== null) setNode(merged, key, merge(member, change))
  }
  for (const key in changes) {
    const change = changes[key] as Node
    if (change !== null && !Object.hasOwn(from, key)) setNode(merged, key, withoutNulls(change))
  }
  return merged
}

function withoutNulls (node: Node): Node {
  const container = open(node)
  if (container === undefined) return node
  if (Array.isArray(container)) return container.map(withoutNulls)
  const kept: NodeObject = {}
  for (const key in container) if (container[key] !== null) setNode(kept, key, withoutNulls(container[key] as Node))
  return kept
}
