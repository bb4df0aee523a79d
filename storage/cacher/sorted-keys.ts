import { comparatorFor, compareKeys } from './key-order.js'

export interface Keyed {
  readonly key: string
}

/** Some items in key order, never empty. A chunk of an earlier epoch belongs to a snapshot as well and must be copied first. */
interface Chunk<E> {
  readonly epoch: number
  readonly items: E[]
}

type Chunks<E> = readonly Chunk<E>[]

interface Position {
  readonly chunk: number
  readonly index: number
}

const CHUNK_MAX = 512
const CHUNK_MIN = 64

/** Finds the first item for which `before` is false; `before` must be true for a beginning of the order and false for the rest. */
function firstNot<E extends Keyed> (chunks: Chunks<E>, before: (key: string) => boolean): Position {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const items = (chunks[middle] as Chunk<E>).items
    if (before((items[items.length - 1] as E).key)) low = middle + 1
    else high = middle
  }
  const chunk = low
  const items = chunks[chunk]?.items
  if (items === undefined) return { chunk, index: 0 }
  low = 0
  high = items.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before((items[middle] as E).key)) low = middle + 1
    else high = middle
  }
  return { chunk, index: low }
}

function lowerBound<E extends Keyed> (chunks: Chunks<E>, key: string): Position {
  const compare = comparatorFor(key)
  return firstNot(chunks, (other) => compare(other, key) < 0)
}

/** Reads items in key order from some place on. */
export class KeyCursor<E> {
  readonly #chunks: Chunks<E>
  #chunk: number
  #index: number

  constructor (chunks: Chunks<E>, position: Position) {
    this.#chunks = chunks
    this.#chunk = position.chunk
    this.#index = position.index
  }

  next (): E | undefined {
    let chunk = this.#chunks[this.#chunk]
    while (chunk !== undefined) {
      if (this.#index < chunk.items.length) return chunk.items[this.#index++]
      this.#index = 0
      chunk = this.#chunks[++this.#chunk]
    }
    return undefined
  }
}

/** The items as they stood at some moment. Costs nothing to take and shares what has not changed since. */
export class KeySnapshot<E extends Keyed> {
  readonly #chunks: Chunks<E>

  constructor (chunks: Chunks<E>) {
    this.#chunks = chunks
  }

  /** A cursor that begins at the first key not below the given one. */
  from (key: string): KeyCursor<E> {
    return new KeyCursor(this.#chunks, lowerBound(this.#chunks, key))
  }
}

/**
 * Items in the order of their keys' UTF-8 bytes, with ranks and cheap snapshots: a directory of sorted chunks of at most 512 items,
 * copied on write where a snapshot shares them. Finding is O(log n). Inserting, replacing and removing move at most one chunk.
 * A rank needs the number of items in the chunks before, which is remembered up to the first chunk that grew or shrank since:
 * at worst one addition per chunk, some 300 for 100,000 items.
 */
export class SortedKeys<E extends Keyed> {
  #chunks: Chunk<E>[] = []
  #size = 0
  #epoch = 0
  #directoryEpoch = 0
  #snapshot: KeySnapshot<E> | undefined
  /** #offsets[i]: how many items the chunks before i have; right for i < #validOffsets. */
  readonly #offsets: number[] = [0]
  #validOffsets = 1

  /** @param items whose keys differ; in key order this is O(n), else they are sorted first */
  static from<E extends Keyed> (items: Iterable<E>): SortedKeys<E> {
    const all = [...items]
    const ordered = all.every((item, i) => i === 0 || compareKeys((all[i - 1] as E).key, item.key) < 0)
    if (!ordered) all.sort((a, b) => compareKeys(a.key, b.key))
    const keys = new SortedKeys<E>()
    // Three quarters full, so that the first inserts do not split every chunk.
    const fill = CHUNK_MAX * 3 / 4
    for (let i = 0; i < all.length; i += fill) keys.#chunks.push({ epoch: 0, items: all.slice(i, i + fill) })
    keys.#size = all.length
    return keys
  }

  get size (): number {
    return this.#size
  }

  /** Inserts the item, or replaces the one that has its key. */
  set (item: E): void {
    this.#snapshot = undefined
    const position = lowerBound(this.#chunks, item.key)
    const found = this.#chunks[position.chunk]?.items[position.index]
    if (found !== undefined && found.key === item.key) {
      this.#writable(position.chunk).items[position.index] = item
      return
    }
    this.#insert(item, position)
  }

  #insert (item: E, position: Position): void {
    this.#size++
    if (this.#chunks.length === 0) {
      this.#directory().push({ epoch: this.#epoch, items: [item] })
      return
    }
    // Past the last chunk: at the end of it.
    const past = position.chunk === this.#chunks.length
    const at = past ? position.chunk - 1 : position.chunk
    const { items } = this.#writable(at)
    items.splice(past ? items.length : position.index, 0, item)
    this.#forgetOffsetsAfter(at)
    if (items.length > CHUNK_MAX) {
      this.#directory().splice(at + 1, 0, { epoch: this.#epoch, items: items.splice(items.length >>> 1) })
    }
  }

  /** Whether the key was there. */
  delete (key: string): boolean {
    const position = lowerBound(this.#chunks, key)
    const found = this.#chunks[position.chunk]?.items[position.index]
    if (found === undefined || found.key !== key) return false
    this.#snapshot = undefined
    this.#size--
    const { items } = this.#writable(position.chunk)
    items.splice(position.index, 1)
    this.#forgetOffsetsAfter(position.chunk)
    if (items.length < CHUNK_MIN) this.#mergeAt(position.chunk)
    return true
  }

  /** Joins a chunk that has become small with a neighbour, if the two together stay well below the limit. */
  #mergeAt (at: number): void {
    const left = at > 0 ? at - 1 : at
    const first = this.#chunks[left] as Chunk<E>
    const second = this.#chunks[left + 1]
    if (second === undefined) {
      if (first.items.length === 0) this.#directory().pop()
      return
    }
    if (first.items.length + second.items.length > CHUNK_MAX / 2 && first.items.length > 0 && second.items.length > 0) return
    this.#directory().splice(left, 2, { epoch: this.#epoch, items: [...first.items, ...second.items] })
    this.#forgetOffsetsAfter(left)
  }

  /** How many keys are below the given one. */
  rank (key: string): number {
    const position = lowerBound(this.#chunks, key)
    return this.#offset(position.chunk) + position.index
  }

  /** How many keys are below the prefix or begin with it. */
  rankAfterPrefix (prefix: string): number {
    const compare = comparatorFor(prefix)
    const position = firstNot(this.#chunks, (key) => compare(key, prefix) < 0 || key.startsWith(prefix))
    return this.#offset(position.chunk) + position.index
  }

  /** A cursor that begins at the first key not below the given one; good until the next change. */
  from (key: string): KeyCursor<E> {
    return new KeyCursor(this.#chunks, lowerBound(this.#chunks, key))
  }

  snapshot (): KeySnapshot<E> {
    if (this.#snapshot === undefined) {
      this.#snapshot = new KeySnapshot(this.#chunks)
      this.#epoch++
    }
    return this.#snapshot
  }

  #directory (): Chunk<E>[] {
    if (this.#directoryEpoch !== this.#epoch) {
      this.#chunks = this.#chunks.slice()
      this.#directoryEpoch = this.#epoch
    }
    return this.#chunks
  }

  #writable (at: number): Chunk<E> {
    const chunk = this.#chunks[at] as Chunk<E>
    if (chunk.epoch === this.#epoch) return chunk
    const copy = { epoch: this.#epoch, items: chunk.items.slice() }
    this.#directory()[at] = copy
    return copy
  }

  #forgetOffsetsAfter (chunk: number): void {
    this.#validOffsets = Math.min(this.#validOffsets, chunk + 1)
  }

  #offset (chunk: number): number {
    for (let i = this.#validOffsets; i <= chunk; i++) {
      this.#offsets[i] = (this.#offsets[i - 1] as number) + (this.#chunks[i - 1] as Chunk<E>).items.length
    }
    this.#validOffsets = Math.max(this.#validOffsets, chunk + 1)
    return this.#offsets[chunk] as number
  }
}
