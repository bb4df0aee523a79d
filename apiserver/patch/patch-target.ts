import { maxNestingDepth } from '../../registry/codec/json-parse.js'
import type { JsonValue } from '../../registry/codec/value.js'
import { IndexSyntaxError, parseIndex, parsePointer } from './json-pointer.js'
import { equalNodes, open, printDocument, Raw, setNode, type Container, type Node, type NodeObject } from './patch-document.js'
import { PatchError } from './patch-error.js'

/** One operation of a JSON patch. What is missing or of a wrong type is undefined; a value that is null is a raw one. */
export interface Operation { op: string | undefined, path: string | undefined, from: string | undefined, value: Raw | undefined }

/** kube-apiserver's limit of what the "copy" operations of one patch may add. */
const maxCopiedBytes = 3 * 1024 * 1024
/** How much work the operations of one patch may make beyond reading it (items shifted, values moved), so that none can hold the process up. */
const maxSteps = 100_000_000

/**
 * A document under a JSON patch, with the semantics of gopkg.in/evanphx/json-patch.v4: negative indexes count from the end, "replace" of
 * a missing member adds it, "copy" of a missing member adds null, "test" compares texts. Every failure is a PatchError of kind apply.
 */
export class PatchTarget {
  #root: Node
  /** Containers made by this patch, which may be changed in place; all others belong to the original or to the patch. */
  readonly #owned = new WeakSet<object>()
  #copiedBytes = 0
  #steps = 0

  constructor (root: JsonValue) {
    this.#root = root
  }

  get root (): Node { return this.#root }

  apply (operation: Operation): void {
    switch (operation.op) {
      case 'add': return this.#add(operation)
      case 'remove': return this.#remove(operation)
      case 'replace': return this.#replace(operation)
      case 'move': return this.#move(operation)
      case 'test': return this.#test(operation)
      case 'copy': return this.#copy(operation)
      default: throw failure(`Unexpected kind: ${operation.op ?? 'unknown'}`)
    }
  }

  #add (o: Operation): void {
    if (o.path === undefined) throw failure('add operation failed to decode path: missing value')
    const at = this.#find(o.path) ?? fail(`add operation does not apply: doc is missing path: "${o.path}": missing value`)
    within(`error in add for path: '${o.path}'`, () => this.#insert(at, o.value ?? null))
  }

  #remove (o: Operation): void {
    if (o.path === undefined) throw failure('remove operation failed to decode path: missing value')
    const at = this.#find(o.path) ?? fail(`remove operation does not apply: doc is missing path: "${o.path}": missing value`)
    within(`error in remove for path: '${o.path}'`, () => this.#delete(at))
  }

  #replace (o: Operation): void {
    if (o.path === undefined) throw failure('replace operation failed to decode path: operation missing path field: missing value')
    if (o.path === '') {
      const root = o.value && open(o.value)
      if (root === undefined) throw failure('replace operation value must be object or array: %!w(<nil>)')
      this.#owned.add(root)
      this.#root = root
      return
    }
    const at = this.#find(o.path) ?? fail(`replace operation does not apply: doc is missing path: ${o.path}: missing value`)
    const value = o.value ?? null
    if (!Array.isArray(at.parent)) return this.#insert(at, value)
    const i = itemIndexOr(at.parent, at.key) ?? fail(`replace operation does not apply: doc is missing key: ${o.path}: missing value`)
    this.#checkDepth(at, value)
    const items = at.own() as Node[]
    items[i] = value
  }

  #move (o: Operation): void {
    if (o.from === undefined) throw failure('move operation failed to decode from: operation, missing from field: missing value')
    const from = this.#find(o.from) ?? fail(`move operation does not apply: doc is missing from path: ${o.from}: missing value`)
    const value = within(`error in move for path: '${from.key}'`, () => {
      const found = read(from.parent, from.key)
      this.#delete(from)
      return found
    })
    if (o.path === undefined) throw failure('move operation failed to decode path: operation missing path field: missing value')
    const to = this.#find(o.path) ?? fail(`move operation does not apply: doc is missing destination path: ${o.path}: missing value`)
    within(`error in move for path: '${o.path}'`, () => this.#insert(to, value))
  }

  #test (o: Operation): void {
    if (o.path === undefined) throw failure('test operation failed to decode path: operation missing path field: missing value')
    let actual: Node = this.#root
    if (o.path !== '') {
      const at = this.#find(o.path) ?? fail(`test operation does not apply: is missing path: ${o.path}: missing value`)
      actual = within(`error in test for path: '${o.path}'`, () => read(at.parent, at.key))
    }
    const isNull = o.value === undefined || o.value.text === 'null'
    const same = actual === null ? isNull : o.value !== undefined && equalNodes(actual, o.value)
    if (!same) throw failure(`testing value ${o.path} failed: test failed`)
  }

  #copy (o: Operation): void {
    if (o.from === undefined) throw failure('copy operation failed to decode from: operation, missing from field: missing value')
    const from = this.#find(o.from) ?? fail(`copy operation does not apply: doc is missing from path: ${o.from}: missing value`)
    const value = within(`error in copy for from: '${o.from}'`, () => read(from.parent, from.key))
    if (o.path === undefined) throw failure('copy operation failed to decode path: missing value')
    const to = this.#find(o.path) ?? fail(`copy operation does not apply: doc is missing destination path: ${o.path}: missing value`)
    this.#copiedBytes += value === null ? 0 : Buffer.byteLength(printDocument(value))
    if (this.#copiedBytes > maxCopiedBytes) {
      throw failure(`Unable to complete the copy, the accumulated size increase of copy is ${this.#copiedBytes}, exceeding the limit ${maxCopiedBytes}`)
    }
    within('error while adding value during copy', () => this.#insert(to, value === null ? null : new Raw(printDocument(value))))
  }

  /** The container that a path leads into, and the last token; undefined if something on the way is missing or is no container. */
  #find (path: string): Place | undefined {
    const tokens = parsePointer(path)
    if (tokens === undefined || tokens.length > maxNestingDepth) return undefined
    const key = tokens.pop() as string
    const root = this.#root as Container
    let parent: Container = root
    let own = (): Container => this.#own(this.#root as Container, made => { this.#root = made })
    for (const token of tokens) {
      const next = this.#openChild(parent, token)
      if (next === undefined) return undefined
      const ownOuter = own
      own = () => {
        const outer = ownOuter()
        return this.#own(read(outer, token) as Container, made => { write(outer, token, made) })
      }
      parent = next
    }
    return { parent, key, depth: tokens.length + 1, own }
  }

  /** A container inside another. A raw one is opened for good, and is then this patch's own. */
  #openChild (parent: Container, token: string): Container | undefined {
    const child = readOrNull(parent, token)
    const container = open(child)
    if (container !== undefined && child instanceof Raw) {
      this.#step(child.text.length)
      this.#owned.add(container)
      write(parent, token, container)
    }
    return container
  }

  #own (container: Container, replace: (made: Container) => void): Container {
    if (this.#owned.has(container)) return container
    const made = Array.isArray(container) ? [...container] : { ...container }
    this.#owned.add(made)
    replace(made)
    return made
  }

  #insert (at: Place, value: Node): void {
    this.#checkDepth(at, value)
    if (!Array.isArray(at.parent)) {
      setNode(at.own() as NodeObject, at.key, value)
      return
    }
    const length = at.parent.length
    if (at.key === '-') {
      (at.own() as Node[]).push(value)
      return
    }
    const i = insertionIndex(at.key, length)
    this.#step(length - i)
    ;(at.own() as Node[]).splice(i, 0, value)
  }

  #delete (at: Place): void {
    if (!Array.isArray(at.parent)) {
      if (!Object.hasOwn(at.parent, at.key)) throw failure(`Unable to remove nonexistent key: ${at.key}: missing value`)
      delete (at.own() as NodeObject)[at.key]
      return
    }
    const i = itemIndex(at.parent, at.key)
    this.#step(at.parent.length - i)
    ;(at.own() as Node[]).splice(i, 1)
  }

  #checkDepth (at: Place, value: Node): void {
    if (at.depth + this.#depth(value) > maxNestingDepth) throw failure('exceeded max depth')
  }

  #depth (node: Node): number {
    this.#step(1)
    if (node instanceof Raw) return this.#textDepth(node.text)
    if (typeof node !== 'object' || node === null) return 0
    let deepest = 0
    for (const child of Array.isArray(node) ? node : Object.values(node)) deepest = Math.max(deepest, this.#depth(child))
    return deepest + 1
  }

  #textDepth (text: string): number {
    this.#step(text.length)
    let depth = 0
    let deepest = 0
    for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[[{\]}]/g)) {
      if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth)
      else if (token === ']' || token === '}') depth--
    }
    return deepest
  }

  #step (n: number): void {
    this.#steps += n
    if (this.#steps > maxSteps) throw failure('the patch is too much work')
  }
}

interface Place {
  readonly parent: Container
  readonly key: string
  /** How many containers there are from the root to the parent. */
  readonly depth: number
  /** Makes the parent, and all that leads to it, this patch's own, and returns it. */
  readonly own: () => Container
}

const failure = (message: string): PatchError => new PatchError('apply', message)
const fail = (message: string): never => { throw failure(message) }

/** Runs a step; what it refuses is told with where that happened. */
function within<T> (where: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (error instanceof PatchError || error instanceof IndexSyntaxError) throw new PatchError('apply', `${where}: ${error.message}`, { cause: error })
    throw error
  }
}

/** A missing member of an object is null, as the library reads it; a missing item of an array is an error. */
function read (container: Container, key: string): Node {
  if (Array.isArray(container)) return container[itemIndex(container, key)] as Node
  return Object.hasOwn(container, key) ? container[key] as Node : null
}

function readOrNull (container: Container, key: string): Node {
  if (!Array.isArray(container)) return read(container, key)
  const i = itemIndexOr(container, key)
  return i === undefined ? null : container[i] as Node
}

/** The index of an item, undefined if there is no such item. */
function itemIndexOr (array: readonly Node[], key: string): number | undefined {
  try {
    return itemIndex(array, key)
  } catch (error) {
    if (error instanceof PatchError || error instanceof IndexSyntaxError) return undefined
    throw error
  }
}

function write (container: Container, key: string, value: Node): void {
  if (Array.isArray(container)) container[itemIndex(container, key)] = value
  else setNode(container, key, value)
}

function itemIndex (array: readonly Node[], key: string): number {
  const i = parseIndex(key)
  if (i >= array.length || i < -array.length) throw failure(`Unable to access invalid index: ${i}: invalid index referenced`)
  return i < 0 ? i + array.length : i
}

function insertionIndex (key: string, length: number): number {
  let i: number
  try {
    i = parseIndex(key)
  } catch (error) {
    throw failure(`value was not a proper array index: '${key}': ${(error as Error).message}`)
  }
  if (i > length || i < -length - 1) throw failure(`Unable to access invalid index: ${i}: invalid index referenced`)
  return i < 0 ? i + length + 1 : i
}
