import { maxNestingDepth } from './json-parse.js'
import { YamlError, type Mark } from './yaml-reader.js'
import { YamlScanner } from './yaml-scanner.js'
import type { Token, TokenType } from './yaml-token.js'

interface NodeBase { readonly line: number, readonly tag: string }
export interface ScalarNode extends NodeBase {
  readonly kind: 'scalar'
  readonly value: string
  /** Written plainly, so that what it looks like decides about its type. */
  readonly implicit: boolean
}
export interface SequenceNode extends NodeBase { readonly kind: 'sequence', readonly items: YamlNode[] }
export interface MappingNode extends NodeBase { readonly kind: 'mapping', readonly pairs: Array<readonly [YamlNode, YamlNode]> }
export interface AliasNode extends NodeBase { readonly kind: 'alias', readonly name: string, readonly target: YamlNode }
export type YamlNode = ScalarNode | SequenceNode | MappingNode | AliasNode

/**
 * Reads the first document of a YAML text; undefined if there is none. Later documents are not even looked at. Throws YamlError with the texts
 * of Go's yaml.v2.
 */
export const composeDocument = (bytes: Buffer): YamlNode | undefined => new Composer(bytes).document()

class Composer {
  readonly #scanner: YamlScanner
  readonly #anchors = new Map<string, YamlNode>()
  readonly #tagPrefixes = new Map<string, string>()
  #depth = 0

  constructor (bytes: Buffer) {
    this.#scanner = new YamlScanner(bytes)
  }

  document (): YamlNode | undefined {
    let token = this.#scanner.peek()
    if (token.type === 'stream-end') return undefined
    let explicit = false
    let version = false
    for (; token.type === 'version-directive' || token.type === 'tag-directive'; token = this.#scanner.peek()) {
      if (token.type === 'tag-directive') {
        if (this.#tagPrefixes.has(token.value as string)) throw parserError('found duplicate %TAG directive', token.start)
        this.#tagPrefixes.set(token.value as string, token.suffix as string)
      } else {
        if (version) throw parserError('found duplicate %YAML directive', token.start)
        if (token.suffix !== '1.1') throw parserError('found incompatible YAML document', token.start)
        version = true
      }
      explicit = true
      this.#scanner.skip()
    }
    if (!this.#tagPrefixes.has('!')) this.#tagPrefixes.set('!', '!')
    if (!this.#tagPrefixes.has('!!')) this.#tagPrefixes.set('!!', 'tag:yaml.org,2002:')
    if (token.type === 'document-start') {
      this.#scanner.skip()
      token = this.#scanner.peek()
      if (this.#is(token, ['version-directive', 'tag-directive', 'document-start', 'document-end', 'stream-end'])) return this.#emptyScalar(token.start)
    } else if (explicit) {
      throw parserError('did not find expected <document start>', token.start)
    }
    const root = this.#node({ block: true })
    // The document ends where no further token belongs to it; what comes then is not read, but it must be a token.
    this.#scanner.peek()
    return root
  }

  #is (token: Token, types: readonly TokenType[]): boolean { return types.includes(token.type) }

  /** Skips the next token if it is of that type. */
  #take (type: TokenType): Token | undefined {
    const token = this.#scanner.peek()
    if (token.type !== type) return undefined
    this.#scanner.skip()
    return token
  }

  #emptyScalar (mark: Mark): ScalarNode {
    return { kind: 'scalar', line: mark.line, tag: '', value: '', implicit: true }
  }

  /** A node, or an empty scalar if one of the given tokens comes at once. */
  #nodeUnless (types: readonly TokenType[], context: { block: boolean, indentless?: boolean }, emptyAt?: Mark): YamlNode {
    const token = this.#scanner.peek()
    return this.#is(token, types) ? this.#emptyScalar(emptyAt ?? token.start) : this.#node(context)
  }

  #node ({ block, indentless = false }: { block: boolean, indentless?: boolean }): YamlNode {
    const alias = this.#take('alias')
    if (alias !== undefined) {
      const name = alias.value as string
      const target = this.#anchors.get(name)
      if (target === undefined) throw new YamlError(`unknown anchor '${name}' referenced`)
      return { kind: 'alias', line: alias.start.line, tag: '', name, target }
    }
    const start = this.#scanner.peek().start
    let anchor = this.#take('anchor')
    const tagToken = this.#take('tag')
    if (tagToken !== undefined) anchor ??= this.#take('anchor')
    const properties = { start, anchor: anchor?.value, tag: tagToken === undefined ? '' : this.#tag(tagToken, start) }
    const token = this.#scanner.peek()
    if (++this.#depth > 2 * maxNestingDepth) throw new YamlError('exceeded max depth of 10000', token.start.line + 1)
    const node = this.#content(token, properties, { block, indentless })
    this.#depth--
    return node
  }

  #tag (token: Token, start: Mark): string {
    if (token.value === '') return token.suffix as string
    const tag = this.#tagPrefixes.has(token.value as string) ? `${this.#tagPrefixes.get(token.value as string)}${token.suffix}` : ''
    if (tag === '') throw parserError('found undefined tag handle', token.start, start)
    return tag
  }

  #content (token: Token, { start, anchor, tag }: { start: Mark, anchor: string | undefined, tag: string }, { block, indentless }: { block: boolean, indentless: boolean }): YamlNode {
    const line = start.line
    const named = <T extends YamlNode>(node: T): T => {
      if (anchor !== undefined) this.#anchors.set(anchor, node)
      return node
    }
    const sequence = (fill: (items: YamlNode[]) => void): SequenceNode => {
      const node = named<SequenceNode>({ kind: 'sequence', line, tag, items: [] })
      fill(node.items)
      return node
    }
    const mapping = (fill: (pairs: Array<readonly [YamlNode, YamlNode]>) => void): MappingNode => {
      const node = named<MappingNode>({ kind: 'mapping', line, tag, pairs: [] })
      fill(node.pairs)
      return node
    }
    if (indentless && token.type === 'block-entry') return sequence(items => { this.#indentlessSequence(items) })
    switch (token.type) {
      case 'scalar':
        this.#scanner.skip()
        return named({ kind: 'scalar', line, tag, value: token.value as string, implicit: (tag === '' && token.style === 'plain') || tag === '!' })
      case 'flow-sequence-start': return sequence(items => { this.#flowSequence(items) })
      case 'flow-mapping-start': return mapping(pairs => { this.#flowMapping(pairs) })
      case 'block-sequence-start': if (block) return sequence(items => { this.#blockSequence(items) }); break
      case 'block-mapping-start': if (block) return mapping(pairs => { this.#blockMapping(pairs) }); break
    }
    if (anchor !== undefined || tag !== '') return named({ kind: 'scalar', line, tag, value: '', implicit: tag === '' })
    throw parserError('did not find expected node content', token.start, start)
  }

  #blockSequence (items: YamlNode[]): void {
    const start = this.#scanner.peek().start
    this.#scanner.skip()
    for (let entry = this.#take('block-entry'); entry !== undefined; entry = this.#take('block-entry')) {
      items.push(this.#nodeUnless(['block-entry', 'block-end'], { block: true }, entry.end))
    }
    this.#expectEnd('block-end', "did not find expected '-' indicator", start)
  }

  #indentlessSequence (items: YamlNode[]): void {
    for (let entry = this.#take('block-entry'); entry !== undefined; entry = this.#take('block-entry')) {
      items.push(this.#nodeUnless(['block-entry', 'key', 'value', 'block-end'], { block: true }, entry.end))
    }
  }

  #blockMapping (pairs: Array<readonly [YamlNode, YamlNode]>): void {
    const start = this.#scanner.peek().start
    this.#scanner.skip()
    const ends: readonly TokenType[] = ['key', 'value', 'block-end']
    for (let mark = this.#take('key'); mark !== undefined; mark = this.#take('key')) {
      const key = this.#nodeUnless(ends, { block: true, indentless: true }, mark.end)
      const colon = this.#take('value')
      pairs.push([key, colon === undefined
        ? this.#emptyScalar(this.#scanner.peek().start)
        : this.#nodeUnless(ends, { block: true, indentless: true }, colon.end)])
    }
    this.#expectEnd('block-end', 'did not find expected key', start)
  }

  #flowSequence (items: YamlNode[]): void {
    const start = this.#scanner.peek().start
    this.#scanner.skip()
    while (this.#take('flow-sequence-end') === undefined) {
      if (items.length > 0) {
        if (this.#take('flow-entry') === undefined) throw parserError("did not find expected ',' or ']'", this.#scanner.peek().start, start)
        if (this.#take('flow-sequence-end') !== undefined) return
      }
      const key = this.#take('key')
      items.push(key === undefined ? this.#node({ block: false }) : this.#singlePair(key))
    }
  }

  /** `[a: 1]` is a list of a mapping. */
  #singlePair (mark: Token): MappingNode {
    const ends: readonly TokenType[] = ['value', 'flow-entry', 'flow-sequence-end']
    let key: YamlNode
    if (this.#is(this.#scanner.peek(), ends)) {
      // libyaml takes this token, whatever it is, for the end of the key.
      key = this.#emptyScalar(this.#scanner.peek().end)
      this.#scanner.skip()
    } else {
      key = this.#node({ block: false })
    }
    const value = this.#take('value') === undefined
      ? this.#emptyScalar(this.#scanner.peek().start)
      : this.#nodeUnless(['flow-entry', 'flow-sequence-end'], { block: false })
    return { kind: 'mapping', line: mark.start.line, tag: '', pairs: [[key, value]] }
  }

  #flowMapping (pairs: Array<readonly [YamlNode, YamlNode]>): void {
    const start = this.#scanner.peek().start
    this.#scanner.skip()
    while (this.#take('flow-mapping-end') === undefined) {
      if (pairs.length > 0) {
        if (this.#take('flow-entry') === undefined) throw parserError("did not find expected ',' or '}'", this.#scanner.peek().start, start)
        if (this.#take('flow-mapping-end') !== undefined) return
      }
      if (this.#take('key') === undefined) {
        const key = this.#node({ block: false })
        pairs.push([key, this.#emptyScalar(this.#scanner.peek().start)])
        continue
      }
      const key = this.#nodeUnless(['value', 'flow-entry', 'flow-mapping-end'], { block: false })
      pairs.push([key, this.#take('value') === undefined
        ? this.#emptyScalar(this.#scanner.peek().start)
        : this.#nodeUnless(['flow-entry', 'flow-mapping-end'], { block: false })])
    }
  }

  #expectEnd (type: TokenType, problem: string, start: Mark): void {
    if (this.#take(type) === undefined) throw parserError(problem, this.#scanner.peek().start, start)
  }
}

/** yaml.v2 counts the lines of these problems from 0, and does not name line 0. */
const parserError = (problem: string, at: Mark, context?: Mark): YamlError => new YamlError(problem, at.line || (context?.line ?? 0))
