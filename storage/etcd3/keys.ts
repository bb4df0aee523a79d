/** Byte ranges of keys. etcd orders keys by their bytes; a prefix is the range from itself to the next key that does not start with it. */

/** What an etcd range over every key is called, at both ends. */
const zero = Buffer.from([0])

/**
 * The end of the name of keys that this storage writes for itself: see progress.ts. A NUL is in no key that Kubernetes makes, so these
 * keys are told from everybody else's, and the storage shows them to nobody.
 */
const progressSuffix = Buffer.from('\0annex-progress')

/** Before the name of each progress key in an index of them; as a prefix it lies before every other key. */
const progressIndex = Buffer.from('\0annex-progress\0')

export interface KeyRange {
  readonly key: Buffer
  readonly range_end: Buffer
}

/** The keys that start with a prefix; every key for the empty one. */
export function prefixRange (prefix: string): KeyRange {
  const key = Buffer.from(prefix)
  return { key: key.length === 0 ? zero : key, range_end: prefixEnd(key) }
}

/** The same range, extended by a few bytes so that it contains `progressKey(prefix)`. */
export function rangeWithProgressKey (prefix: string): KeyRange {
  const range = prefixRange(prefix)
  return range.range_end.equals(zero) ? range : { key: range.key, range_end: Buffer.concat([progressKey(prefix), zero]) }
}

/** A key right behind the last key that a prefix can have: never listed with the prefix, yet part of one contiguous range with it. */
export function progressKey (prefix: string): Buffer {
  const end = prefixEnd(Buffer.from(prefix))
  return end.equals(zero) ? progressSuffix : Buffer.concat([end, progressSuffix])
}

/** The key that says that a progress key exists; written together with it. */
export function progressIndexKey (progressKey: Buffer): Buffer {
  return Buffer.concat([progressIndex, progressKey])
}

/** The index of the progress keys that lie in a range: how many keys it has is how many of the range's are hidden. */
export function progressIndexRange ({ key, range_end: end }: KeyRange): KeyRange {
  return { key: Buffer.concat([progressIndex, key]), range_end: end.equals(zero) ? prefixEnd(progressIndex) : Buffer.concat([progressIndex, end]) }
}

/** Whether a key is one of this storage's own: a progress key of whatever prefix, or its entry in the index. */
export function isProgressKey (key: Buffer): boolean {
  return key.length >= progressSuffix.length && key.subarray(key.length - progressSuffix.length).equals(progressSuffix)
}

export function startsWith (key: Buffer, prefix: Buffer): boolean {
  return key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}

function prefixEnd (prefix: Buffer): Buffer {
  for (let i = prefix.length - 1; i >= 0; i--) {
    const byte = prefix[i] ?? 0
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, i), Buffer.from([byte + 1])])
  }
  return zero
}
