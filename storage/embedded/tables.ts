import type { Revision, StorageEvent, StoredValue } from '../interfaces.js'
import type { OpenDatabase, Table } from './database.js'

/** One line of the log: what was written at a revision, and when. */
export interface LogLine {
  readonly revision: Revision
  readonly type: StorageEvent['type']
  readonly key: Buffer
  /** Empty for a delete. */
  readonly value: Buffer
  readonly timeMs: number
}

/** Where a range of keys starts (inclusive) and ends (exclusive; undefined is the end of the table). */
export interface KeyRange {
  readonly start: Buffer
  readonly end: Buffer | undefined
}

const put = 1
const tombstone = 0
const firstByte = Buffer.from([0])
const compactKey = Buffer.from('compact')
const forgottenKey = Buffer.from('forgotten')

/** Bytes of a line of the log before its key: time, type, length of the key. */
const lineHead = 11

/**
 * What is on the disk, and how a past revision is found in it. Five tables:
 *
 * - `log`      revision → time, put or delete, key, value. The data, in the order in which it came, so that a commit mostly appends; there is
 *              a line for every revision from the compacted one on, and before it for those values that are still the newest of their key.
 * - `current`  key → revision of the newest version, for keys that exist now. Reads of the present never meet old versions.
 * - `dead`     key → revision of the delete, for keys that do not exist now but did at a revision that is still kept.
 * - `history`  key 0x00 revision → put or delete, for versions that a newer one has replaced.
 * - `meta`     format; compact → history before this revision cannot be read; forgotten → and has been removed up to this one.
 *
 * `current` and `dead` together hold every key that has a past, in order: a list at a past revision walks both, and looks into `history`
 * only for the keys that were changed since.
 *
 * Reads are synchronous. A read for revision R sees no newer write, even if LMDB shows it already.
 */
export class Tables {
  readonly #db: OpenDatabase

  constructor (database: OpenDatabase) {
    this.#db = database
  }

  /** The newest revision in the log; 1 for an empty store, as in etcd. */
  newestRevision (): Revision {
    for (const key of this.#db.log.getKeys({ reverse: true, limit: 1 })) return readRevision(key)
    return 1n
  }

  /** History before this revision cannot be read. */
  compactRevision (): Revision {
    return this.#metaRevision(compactKey)
  }

  /** Up to this revision everything superfluous has been removed; lower than `compactRevision` while that work is unfinished. */
  forgottenRevision (): Revision {
    return this.#metaRevision(forgottenKey)
  }

  /** The revision of the newest version of a key that exists now. */
  headRevision (key: Buffer): Revision | undefined {
    const found = this.#db.current.get(key)
    return found === undefined ? undefined : readRevision(found)
  }

  /** A key as it was at a revision. */
  get (key: Buffer, at: Revision): StoredValue | undefined {
    const modRevision = this.#versionAt(key, at)
    return modRevision === undefined ? undefined : this.value(modRevision)
  }

  /** The value that was written at a revision. */
  value (modRevision: Revision): StoredValue {
    const line = this.logLine(modRevision)
    if (line?.type !== 'put') throw new Error(`the value written at revision ${modRevision} is missing`)
    return { key: line.key.toString(), value: line.value, modRevision }
  }

  /**
   * The revisions of the keys of a range that exist at a revision, in the order of keys; stops after having looked at `budget` keys, and then
   * `next` is where to go on. With `isHead`, nothing has been written after the revision, which spares the look at dead keys.
   */
  scan ({ start, end }: KeyRange, at: Revision, { limit, budget, isHead }: { limit: number, budget: number, isHead: boolean }): { found: Revision[], next: Buffer | undefined } {
    const found: Revision[] = []
    let looked = 0
    for (const { key, revision, alive } of merged(this.#db.current, isHead ? undefined : this.#db.dead, { start, end })) {
      if (found.length >= limit || looked++ >= budget) return { found, next: key }
      const modRevision = revision > at ? this.#replacedAt(key, at) : alive ? revision : undefined
      if (modRevision !== undefined) found.push(modRevision)
    }
    return { found, next: undefined }
  }

  /** How many keys of a range exist at a revision, if at most `maxChanges` writes were made since; undefined if more. Costs a count in LMDB and a look at each of these writes. */
  count ({ start, end }: KeyRange, at: Revision, maxChanges: number): number | undefined {
    const newest = this.newestRevision()
    if (newest - at > BigInt(maxChanges)) return undefined
    let count = isEmpty({ start, end }) ? 0 : this.#db.current.getKeysCount(range(start, end))
    const seen = new Set<string>()
    for (const { key } of this.readLog(at + 1n, newest, maxChanges)) {
      const id = key.toString('latin1')
      if (seen.has(id) || Buffer.compare(key, start) < 0 || (end !== undefined && Buffer.compare(key, end) >= 0)) continue
      seen.add(id)
      count += (this.#replacedAt(key, at) === undefined ? 0 : 1) - (this.headRevision(key) === undefined ? 0 : 1)
    }
    return count
  }

  /** Lines of the log from one revision to another (both inclusive), in order. */
  readLog (from: Revision, to: Revision, limit: number): LogLine[] {
    if (from > to) return []
    const lines: LogLine[] = []
    for (const { key, value } of this.#db.log.getRange({ start: revisionKey(from), end: revisionKey(to + 1n), limit })) lines.push(readLine(readRevision(key), value))
    return lines
  }

  logLine (revision: Revision): LogLine | undefined {
    const line = this.#db.log.get(revisionKey(revision))
    return line === undefined ? undefined : readLine(revision, line)
  }

  /** Within a batch: adds one write, which replaces the version `expected` of its key. */
  write ({ key, value, expected }: { key: Buffer, value: Buffer | undefined, expected: Revision | undefined }, revision: Revision, timeMs: number): void {
    const { current, dead, history, log } = this.#db
    const id = revisionKey(revision)
    log.put(id, makeLine(key, value, timeMs))
    if (expected !== undefined) history.put(historyKey(key, expected), Buffer.from([put]))
    if (value === undefined) {
      current.remove(key)
      dead.put(key, id)
      return
    }
    current.put(key, id)
    const died = expected === undefined ? dead.get(key) : undefined
    if (died !== undefined) {
      history.put(historyKey(key, readRevision(died)), Buffer.from([tombstone]))
      dead.remove(key)
    }
  }

  /** Within a batch: remembers that history before the revision cannot be read any more. */
  writeCompactRevision (revision: Revision): void {
    this.#db.meta.put(compactKey, revisionKey(revision))
  }

  /**
   * Within a batch: removes what these consecutive lines of the log make superfluous once history before `compactRevision` is gone: the
   * versions before each of them, and the deletes among them. The delete at the compacted revision itself keeps its line: a watch may start
   * with it, as in etcd.
   */
  forget (lines: readonly LogLine[], compactRevision: Revision): void {
    const { dead, history, log, meta } = this.#db
    // Removals show once they are committed, so that the versions before an earlier line of the same key are passed over.
    const forgotten = new Map<string, Revision>()
    for (const { key, revision, type } of lines) {
      const id = key.toString('latin1')
      for (const old of history.getKeys({ start: historyKey(key, forgotten.get(id) ?? 0n), end: historyKey(key, revision) })) {
        if (old.length !== key.length + 9) continue
        history.remove(old)
        log.remove(old.subarray(key.length + 1))
      }
      forgotten.set(id, revision)
      if (type === 'put') continue
      history.remove(historyKey(key, revision))
      if (revision < compactRevision) log.remove(revisionKey(revision))
      const died = dead.get(key)
      if (died !== undefined && readRevision(died) === revision) dead.remove(key)
    }
    const last = lines.at(-1)
    if (last !== undefined) meta.put(forgottenKey, revisionKey(last.revision))
  }

  #metaRevision (name: Buffer): Revision {
    const found = this.#db.meta.get(name)
    return found === undefined ? 1n : readRevision(found)
  }

  /** The revision of the version of a key that is the newest at a revision; undefined if that is a delete or there is none. */
  #versionAt (key: Buffer, at: Revision): Revision | undefined {
    const head = this.headRevision(key)
    if (head !== undefined && head <= at) return head
    if (head === undefined) {
      const died = this.#db.dead.get(key)
      if (died === undefined || readRevision(died) <= at) return undefined
    }
    return this.#replacedAt(key, at)
  }

  /** The same for a key that was written after the revision. */
  #replacedAt (key: Buffer, at: Revision): Revision | undefined {
    // Another key with a 0x00 in it can lie between two versions of this one, but never with the same length.
    for (const { key: id, value } of this.#db.history.getRange({ start: historyKey(key, at), end: historyKey(key, 0n), reverse: true })) {
      if (id.length === key.length + 9) return value[0] === put ? readRevision(id.subarray(key.length + 1)) : undefined
    }
    return undefined
  }
}

/** The entries of `current` and `dead`, which have no key in common, in the order of keys. */
function * merged (current: Table, dead: Table | undefined, { start, end }: KeyRange): Generator<{ key: Buffer, revision: Revision, alive: boolean }> {
  if (isEmpty({ start, end })) return
  const alive = current.getRange(range(start, end))[Symbol.iterator]()
  const gone = dead?.getRange(range(start, end))[Symbol.iterator]()
  try {
    let a = alive.next()
    let d = gone?.next()
    while (a.done !== true || (d !== undefined && d.done !== true)) {
      if (a.done !== true && (d === undefined || d.done === true || Buffer.compare(a.value.key, d.value.key) < 0)) {
        yield { key: a.value.key, revision: readRevision(a.value.value), alive: true }
        a = alive.next()
      } else if (d !== undefined && d.done !== true) {
        yield { key: d.value.key, revision: readRevision(d.value.value), alive: false }
        d = gone?.next()
      }
    }
  } finally {
    alive.return?.()
    gone?.return?.()
  }
}

/** The range of all keys with a prefix, from `startKey` on. */
export function prefixRange (prefix: string, startKey?: string): KeyRange {
  const start = Buffer.from(prefix)
  const end = Buffer.from(prefix)
  let length = end.length
  while (length > 0 && end[length - 1] === 0xff) length--
  if (length > 0) end[length - 1] = (end[length - 1] ?? 0) + 1
  const from = startKey === undefined ? start : Buffer.from(startKey)
  return { start: Buffer.compare(from, start) > 0 ? from : start, end: length > 0 ? end.subarray(0, length) : undefined }
}

/** LMDB takes no empty key; there is none in the tables either. */
function range (start: Buffer, end: Buffer | undefined): { start: Buffer, end?: Buffer } {
  const from = start.length === 0 ? firstByte : start
  return end === undefined ? { start: from } : { start: from, end }
}

function isEmpty ({ start, end }: KeyRange): boolean {
  return end !== undefined && Buffer.compare(start, end) >= 0
}

function historyKey (key: Buffer, revision: Revision): Buffer {
  const id = Buffer.allocUnsafe(key.length + 9)
  key.copy(id)
  id[key.length] = 0
  id.writeBigUInt64BE(revision, key.length + 1)
  return id
}

function revisionKey (revision: Revision): Buffer {
  const id = Buffer.allocUnsafe(8)
  id.writeBigUInt64BE(revision)
  return id
}

function readRevision (bytes: Buffer): Revision {
  return bytes.readBigUInt64BE()
}

function makeLine (key: Buffer, value: Buffer | undefined, timeMs: number): Buffer {
  const line = Buffer.allocUnsafe(lineHead + key.length + (value?.length ?? 0))
  line.writeBigUInt64BE(BigInt(Math.max(0, Math.trunc(timeMs))))
  line[8] = value === undefined ? tombstone : put
  line.writeUInt16BE(key.length, 9)
  key.copy(line, lineHead)
  value?.copy(line, lineHead + key.length)
  return line
}

function readLine (revision: Revision, line: Buffer): LogLine {
  const valueAt = lineHead + line.readUInt16BE(9)
  return { revision, timeMs: Number(line.readBigUInt64BE()), type: line[8] === put ? 'put' : 'delete', key: line.subarray(lineHead, valueAt), value: line.subarray(valueAt) }
}
