import { compareElements, type Path, type PathElement } from './path-element.js'

/** An element of a set: whether the field itself belongs to the set, and which fields below it do. At least one of both. */
export interface FieldNode {
  readonly element: PathElement
  readonly owned: boolean
  /** Never an empty set. */
  readonly children: FieldSet | undefined
}

/**
 * A set of fields of an object, as a tree. Immutable: an operation that changes nothing returns the same set, and results share their
 * unchanged parts with the operands, so that sets can be compared, cached and printed by identity. All operations are linear.
 * Source: structured-merge-diff, `fieldpath/set.go`.
 */
export class FieldSet {
  // By `this`: V8 of Node 20 was seen to have lost the name of the class in its initializer when the file was compiled under load.
  static readonly empty: FieldSet = new this([])
  /** Sorted by element, each element once. */
  readonly nodes: readonly FieldNode[]

  private constructor (nodes: readonly FieldNode[]) { this.nodes = nodes }

  /** A set of sorted, distinct nodes; the caller gives the array away. */
  static ofNodes (nodes: readonly FieldNode[]): FieldSet { return nodes.length === 0 ? FieldSet.empty : new FieldSet(nodes) }

  /** A set of nodes in any order, each element once; the caller gives the array away. */
  static ofUnsorted (nodes: FieldNode[]): FieldSet {
    for (let i = 1; i < nodes.length; i++) if (nodes[i - 1]!.element > nodes[i]!.element) return new FieldSet(nodes.sort((a, b) => a.element < b.element ? -1 : 1))
    return FieldSet.ofNodes(nodes)
  }

  static of (...paths: Path[]): FieldSet {
    const builder = new FieldSetBuilder()
    for (const path of paths) builder.insert(path)
    return builder.build()
  }

  get isEmpty (): boolean { return this.nodes.length === 0 }

  /** How many fields the set has. */
  get size (): number {
    let n = 0
    for (const node of this.nodes) n += (node.owned ? 1 : 0) + (node.children?.size ?? 0)
    return n
  }

  node (element: PathElement): FieldNode | undefined {
    const nodes = this.nodes
    let low = 0
    let high = nodes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = nodes[middle]!
      if (at.element === element) return at
      if (at.element < element) low = middle + 1
      else high = middle
    }
    return undefined
  }

  /** Whether the field at the path belongs to the set; fields above and below it do not matter. */
  has (path: Path): boolean {
    if (path.length === 0) return false
    let node = this.node(path[0]!)
    for (let i = 1; i < path.length; i++) node = node?.children?.node(path[i]!)
    return node?.owned === true
  }

  /** The fields below an element, without it. */
  below (element: PathElement): FieldSet { return this.node(element)?.children ?? FieldSet.empty }

  equals (other: FieldSet): boolean {
    if (this === other) return true
    if (this.nodes.length !== other.nodes.length) return false
    return this.nodes.every((node, i) => {
      const its = other.nodes[i]!
      if (node === its) return true
      if (node.element !== its.element || node.owned !== its.owned) return false
      return node.children === its.children || (node.children !== undefined && its.children !== undefined && node.children.equals(its.children))
    })
  }

  /** Fields in either set. */
  union (other: FieldSet): FieldSet {
    if (this === other || other.isEmpty) return this
    if (this.isEmpty) return other
    const a = this.nodes
    const b = other.nodes
    const out: FieldNode[] = []
    let changed = false
    let i = 0
    let j = 0
    while (i < a.length && j < b.length) {
      const x = a[i]!
      const y = b[j]!
      if (x.element === y.element) {
        const owned = x.owned || y.owned
        const children = x.children === undefined ? y.children : y.children === undefined ? x.children : x.children.union(y.children)
        const node = keep(x, owned, children) ?? keep(y, owned, children) ?? { element: x.element, owned, children }
        if (node !== x) changed = true
        out.push(node)
        i++
        j++
      } else if (x.element < y.element) {
        out.push(x)
        i++
      } else {
        out.push(y)
        changed = true
        j++
      }
    }
    if (j < b.length) changed = true
    if (!changed) return this
    while (i < a.length) out.push(a[i++]!)
    while (j < b.length) out.push(b[j++]!)
    return new FieldSet(out)
  }

  /** Fields in both sets. */
  intersection (other: FieldSet): FieldSet {
    if (this === other || this.isEmpty) return this
    return this.#walk(other, undefined, (x, y) => {
      const owned = x.owned && y.owned
      const children = x.children !== undefined && y.children !== undefined ? nonEmpty(x.children.intersection(y.children)) : undefined
      return owned || children !== undefined ? keep(x, owned, children) ?? { element: x.element, owned, children } : undefined
    })
  }

  /** Fields of this set that are not in the other; a field stays when only fields above or below it are in the other. */
  difference (other: FieldSet): FieldSet {
    if (this === other) return FieldSet.empty
    if (this.isEmpty || other.isEmpty) return this
    return this.#walk(other, x => x, (x, y) => {
      const owned = x.owned && !y.owned
      const children = x.children !== undefined && y.children !== undefined ? nonEmpty(x.children.difference(y.children)) : x.children
      return owned || children !== undefined ? keep(x, owned, children) ?? { element: x.element, owned, children } : undefined
    })
  }

  /** Fields of this set that neither are in the other set nor lie below one of its fields. */
  recursiveDifference (other: FieldSet): FieldSet {
    if (this.isEmpty || other.isEmpty) return this
    return this.#walk(other, x => x, (x, y) => {
      if (y.owned) return undefined
      const children = x.children !== undefined && y.children !== undefined ? nonEmpty(x.children.recursiveDifference(y.children)) : x.children
      return x.owned || children !== undefined ? keep(x, x.owned, children) ?? { element: x.element, owned: x.owned, children } : undefined
    })
  }

  /** Only the fields below which the set has no other. */
  leaves (): FieldSet {
    let changed = false
    const out = this.nodes.map(node => {
      if (node.children === undefined) return node
      const children = node.children.leaves()
      if (!node.owned && children === node.children) return node
      changed = true
      return { element: node.element, owned: false, children }
    })
    return changed ? new FieldSet(out) : this
  }

  /** Every path of the set in the order in which conflicts are listed: the fields of a level, then what lies below them. */
  paths (): Path[] {
    const out: Path[] = []
    const visit = (set: FieldSet, prefix: Path): void => {
      const nodes = [...set.nodes].sort((a, b) => compareElements(a.element, b.element))
      for (const node of nodes) if (node.owned) out.push([...prefix, node.element])
      for (const node of nodes) if (node.children !== undefined) visit(node.children, [...prefix, node.element])
    }
    visit(this, [])
    return out
  }

  /** Keeps of each node what `alone` or, when the other set has the element too, `both` answers. */
  #walk (other: FieldSet, alone: ((x: FieldNode) => FieldNode) | undefined, both: (x: FieldNode, y: FieldNode) => FieldNode | undefined): FieldSet {
    const a = this.nodes
    const b = other.nodes
    let out: FieldNode[] | undefined // only once something changes
    let j = 0
    for (let i = 0; i < a.length; i++) {
      const x = a[i]!
      while (j < b.length && b[j]!.element < x.element) j++
      const y = b[j]
      const kept = y !== undefined && y.element === x.element ? both(x, y) : alone?.(x)
      if (out === undefined && kept !== x) out = a.slice(0, i)
      if (out !== undefined && kept !== undefined) out.push(kept)
    }
    return out === undefined ? this : FieldSet.ofNodes(out)
  }
}

const nonEmpty = (set: FieldSet): FieldSet | undefined => set.isEmpty ? undefined : set
const keep = (node: FieldNode, owned: boolean, children: FieldSet | undefined): FieldNode | undefined =>
  node.owned === owned && node.children === children ? node : undefined

interface MutableNode { owned: boolean; children: Map<PathElement, MutableNode> | undefined }

/** Collects paths in any order into a set. */
export class FieldSetBuilder {
  readonly #root: Map<PathElement, MutableNode> = new Map()

  get isEmpty (): boolean { return this.#root.size === 0 }

  /** Adds the field at the path, not the ones above it; the empty path is ignored. The path may be reused afterwards. */
  insert (path: Path): void {
    let level = this.#root
    for (let i = 0; i < path.length; i++) {
      let node = level.get(path[i]!)
      if (node === undefined) level.set(path[i]!, node = { owned: false, children: undefined })
      if (i === path.length - 1) node.owned = true
      else level = node.children ??= new Map()
    }
  }

  build (): FieldSet { return freeze(this.#root) }
}

function freeze (level: Map<PathElement, MutableNode>): FieldSet {
  const nodes: FieldNode[] = []
  for (const [element, { owned, children }] of level) nodes.push({ element, owned, children: children === undefined ? undefined : freeze(children) })
  return FieldSet.ofUnsorted(nodes)
}
