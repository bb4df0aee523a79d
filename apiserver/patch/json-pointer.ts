/**
 * The reference tokens of a path as evanphx/json-patch reads it: whatever stands before the first slash is ignored, and a path without any
 * slash (the empty one included) has none, which is undefined here.
 */
export function parsePointer (path: string): string[] | undefined {
  const slash = path.indexOf('/')
  if (slash < 0) return undefined
  return path.slice(slash + 1).split('/').map(token => token.replace(/~[01]/g, escape => escape === '~1' ? '/' : '~'))
}

/** An index that Go's strconv.Atoi refuses. */
export class IndexSyntaxError extends Error {
  override readonly name = 'IndexSyntaxError'
}

/** A token as strconv.Atoi reads an index: a sign and leading zeros are allowed. Throws IndexSyntaxError. */
export function parseIndex (token: string): number {
  if (!/^[+-]?[0-9]+$/.test(token)) throw new IndexSyntaxError(`strconv.Atoi: parsing ${JSON.stringify(token)}: invalid syntax`)
  const n = Number(token)
  if (!Number.isSafeInteger(n)) throw new IndexSyntaxError(`strconv.Atoi: parsing ${JSON.stringify(token)}: value out of range`)
  return n
}
