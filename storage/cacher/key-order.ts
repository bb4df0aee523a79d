/** Surrogates and everything above them: only among these do UTF-16 units and UTF-8 bytes sort differently. */
const ABOVE_SURROGATES = /[\ud800-\uffff]/

/** Negative, zero or positive. */
export type KeyComparator = (a: string, b: string) => number

function compareUnits (a: string, b: string): number {
  return a < b ? -1 : a === b ? 0 : 1
}

/** A UTF-16 unit's place in UTF-8 order: surrogates (characters of four bytes) come after U+E000 to U+FFFF (three bytes). */
function rankOf (unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit
}

/** Orders keys by their UTF-8 bytes, as etcd and LMDB do. */
export function compareKeys (a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = rankOf(a.charCodeAt(i)) - rankOf(b.charCodeAt(i))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/**
 * The quickest comparator that orders keys by their UTF-8 bytes as long as one of the two is always `key`. If it has nothing
 * above the surrogates, as practically every key, the engine's own comparison gives the same order.
 */
export function comparatorFor (key: string): KeyComparator {
  return ABOVE_SURROGATES.test(key) ? compareKeys : compareUnits
}
