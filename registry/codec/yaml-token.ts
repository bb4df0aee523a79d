import { YamlError, type Mark } from './yaml-reader.js'

export type ScalarStyle = 'plain' | 'single-quoted' | 'double-quoted' | 'block'

export type TokenType =
  | 'stream-end' | 'version-directive' | 'tag-directive' | 'document-start' | 'document-end' | 'block-sequence-start' | 'block-mapping-start'
  | 'block-end' | 'flow-sequence-start' | 'flow-sequence-end' | 'flow-mapping-start' | 'flow-mapping-end' | 'block-entry' | 'flow-entry'
  | 'key' | 'value' | 'alias' | 'anchor' | 'tag' | 'scalar'

export interface Token {
  readonly type: TokenType
  readonly start: Mark
  readonly end: Mark
  /** The text of a scalar, the name of an anchor or alias, the handle of a tag or tag directive. */
  readonly value?: string
  /** The rest of a tag, the prefix of a tag directive, `1.1` of a version directive. */
  readonly suffix?: string
  readonly style?: ScalarStyle
}

/** yaml.v2 names the line of a scanning problem, or where its context began if that is the first line. */
export function scannerError (problem: string, at: Mark, context?: Mark): YamlError {
  return new YamlError(problem, at.line !== 0 ? at.line + 1 : context?.line ?? 0)
}
