import { JsonTypeError } from '../../registry/codec/json-errors.js'
import { maxNestingDepth } from '../../registry/codec/json-parse.js'
import { printJson, sortedKeys } from '../../registry/codec/json-print.js'
import { scanJson } from '../../registry/codec/json-scan.js'
import { setMember, type JsonObject, type JsonValue } from '../../registry/codec/value.js'

/**
 * A value of a patch that nobody has looked into yet, as it was written. The patch library works on texts, which a client sees twice: its
 * "test" tells 1 from 1.0 and "a" from "\u0061", and what it put into a document is quoted unchanged when the document is refused.
 */
export class Raw {
  readonly text: string

  constructor (text: string) {
    this.text = text
  }
}

/** A document while it is being patched: JSON with raw parts. */
export type Node = null | boolean | number | bigint | string | Raw | Node[] | NodeObject
export interface NodeObject { [key: string]: Node }
export type Container = Node[] | NodeObject

const isNodeObject = (node: Exclude<Node, Raw | Node[]>): node is NodeObject => typeof node === 'object' && node !== null

export const setNode = (object: NodeObject, key: string, value: Node): void => setMember(object as JsonObject, key, value as JsonValue)

/** The object or array that a node is, with its children as they stand; undefined for a scalar. */
export function open (node: Node): Container | undefined {
  if (!(node instanceof Raw)) return typeof node === 'object' && node !== null ? node : undefined
  const first = node.text.charCodeAt(0)
  if (first !== 0x7b && first !== 0x5b) return undefined
  const array: Node[] = []
  const object: NodeObject = {}
  tolerant(node.text, (path, _, start, end) => {
    if (path.length !== 1) return
    const text = node.text.slice(start, end)
    const child = text === 'null' ? null : new Raw(text)
    const key = path[0] as string | number
    if (typeof key === 'number') array.push(child)
    else setNode(object, key, child)
  })
  return first === 0x5b ? array : object
}

type OnValue = (path: ReadonlyArray<string | number>, value: JsonValue, start: number, end: number) => void

/** Reads a text that is known to be JSON; returns what is wrong with its numbers. */
function tolerant (text: string, onValue: OnValue): string | undefined {
  try {
    scanJson(text, { maxDepth: maxNestingDepth, onValue })
    return undefined
  } catch (error) {
    if (error instanceof JsonTypeError) return error.message
    throw error
  }
}

export const openObject = (node: Node): NodeObject | undefined => {
  const container = open(node)
  return Array.isArray(container) ? undefined : container
}

export interface DecodedDocument {
  value: JsonValue
  /** What is wrong with the first number that no double can hold. */
  rangeError: string | undefined
}

/** The document as JSON. Parts without raw values are shared. */
export function decodeDocument (root: Node): DecodedDocument {
  let rangeError: string | undefined
  const decode = (node: Node): Node => {
    if (node instanceof Raw) {
      let value: JsonValue = null
      const error = tolerant(node.text, (path, v) => { if (path.length === 0) value = v })
      rangeError ??= error
      return value
    }
    if (typeof node !== 'object' || node === null) return node
    if (Array.isArray(node)) {
      const items = node.map(decode)
      return items.every((item, i) => item === node[i]) ? node : items
    }
    let copy: NodeObject | undefined
    for (const key of Object.keys(node)) {
      const member = node[key] as Node
      const decoded = decode(member)
      if (decoded !== member) setNode(copy ??= { ...node }, key, decoded)
    }
    return copy ?? node
  }
  return { value: decode(root) as JsonValue, rangeError }
}

/** The document as the patch library prints it: sorted, but for the raw parts, which are only freed of white space. */
export function printDocument (node: Node): string {
  if (node instanceof Raw) return compact(node.text)
  if (Array.isArray(node)) return `[${node.map(printDocument).join(',')}]`
  if (!isNodeObject(node)) return printJson(node)
  return `{${sortedKeys(node).map(key => `${printJson(key)}:${printDocument(node[key] as Node)}`).join(',')}}`
}

/** What Go's json.Marshal does to a text that is JSON already. */
export const compact = (text: string): string =>
  text.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, (_, string: string | undefined) => string ?? '')
    .replace(/[<>&\u2028\u2029]/g, c => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))

/** Whether a "test" of the library succeeds: objects without regard to order, scalars by their text. */
export function equalNodes (a: Node, b: Node): boolean {
  if (a === b) return true
  const x = open(a)
  const y = open(b)
  if (Array.isArray(x)) return Array.isArray(y) && x.length === y.length && x.every((item, i) => equalNodes(item, y[i] as Node))
  if (x !== undefined) {
    if (y === undefined || Array.isArray(y) || Object.keys(x).length !== Object.keys(y).length) return false
    for (const key in x) if (!Object.hasOwn(y, key) || !equalNodes(x[key] as Node, y[key] as Node)) return false
    return true
  }
  return y === undefined && scalarText(a) === scalarText(b)
}

const scalarText = (scalar: Node): string => scalar instanceof Raw ? scalar.text : printJson(scalar as JsonValue)
