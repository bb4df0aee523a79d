import type { IRangeResponse } from 'etcd3'
import { isStorageError } from '../errors.js'
import type { ListOptions, ListResult, Revision, StoredValue } from '../interfaces.js'
import type { RangeFields } from './kv-messages.js'
import { isProgressKey, prefixRange, progressIndexRange, type KeyRange } from './keys.js'
import { toStoredValue } from './values.js'

/** A reply should be about so large: etcd cannot cut by bytes, so the number of keys follows the size of those seen so far. */
const pageBytes = 4 << 20
const firstPageKeys = 250
const mostPageKeys = 10_000

/** Without an asked revision a list begins again if its revision is compacted while it is read; so often. */
const mostRestarts = 3

export type ReadRange = (request: RangeFields) => Promise<IRangeResponse>

/**
 * Lists a prefix in pages that all read the same revision. The pages are invisible to the caller.
 * @throws StorageError Compacted, FutureRevision, and whatever `read` throws
 */
export async function listPages (prefix: string, options: ListOptions, read: ReadRange): Promise<ListResult> {
  for (let restart = 0; ; restart++) {
    try {
      return await listOnce(prefix, options, read)
    } catch (error) {
      if (options.revision !== undefined || restart === mostRestarts || !isStorageError(error, 'Compacted')) throw error
    }
  }
}

async function listOnce (prefix: string, { revision: asked, startKey, limit = 0 }: ListOptions, read: ReadRange): Promise<ListResult> {
  const range = prefixRange(prefix)
  const start = startKey === undefined ? range.key : Buffer.from(startKey)
  let key = start.compare(range.key) > 0 ? start : range.key
  // An empty range to etcd means the one key, or is an error.
  const behind = range.range_end.length > 1 || range.range_end[0] !== 0 ? key.compare(range.range_end) >= 0 : false
  const items: StoredValue[] = []
  let bytes = 0
  let seen = 0
  let revision = asked
  for (;;) {
    const size = seen === 0 ? firstPageKeys : Math.ceil(Math.min(mostPageKeys, Math.max(1, pageBytes * seen / Math.max(1, bytes))))
    const wanted = limit > 0 ? Math.min(size, limit - items.length) : size
    const reply = await read({
      key: behind ? range.key : key,
      range_end: range.range_end,
      limit: wanted,
      ...(behind && { count_only: true }),
      ...(revision !== undefined && { revision: revision.toString() })
    })
    revision ??= BigInt(reply.header.revision)
    if (behind) return { items, revision, remaining: 0 }
    for (const kv of reply.kvs) {
      bytes += kv.key.length + kv.value.length
      if (!isProgressKey(kv.key)) items.push(toStoredValue(kv))
    }
    seen += reply.kvs.length
    const last = reply.kvs.at(-1)
    if (last === undefined || !reply.more) return { items, revision, remaining: 0 }
    key = Buffer.concat([last.key, Buffer.from([0])])
    if (limit > 0 && items.length >= limit) {
      const hidden = await countHidden({ key, range_end: range.range_end }, revision, read)
      return { items, revision, remaining: Number(reply.count) - reply.kvs.length - hidden }
    }
  }
}

/** How many of the storage's own keys etcd has counted in a range: none, unless a prefix that encloses a watched one is listed. */
async function countHidden (range: KeyRange, revision: Revision, read: ReadRange): Promise<number> {
  return Number((await read({ ...progressIndexRange(range), count_only: true, revision: revision.toString() })).count)
}
