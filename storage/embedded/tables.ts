import type { Revision, StorageEvent, StoredValue } from '../interfaces.js'
import type { OpenDatabase, Table } from './database.js'

/** One line of the log: what happened at a revision, and when. */
export interface LogEntry {
  readonly revision: Revision
  readonly type: StorageEvent['type']
  readonly key: Buffer
  readonly timeMs: number
}

/** Where a range of keys starts (inclusive) and ends (exclusive; undefined is the end of the table). */
export interface KeyRange {
  readonly start: Buffer
  readonly end: Buffer | undefined
}

/** A key that exists at the revision of a scan, and the write that it shows. */
export interface Found {
  readonly key: Buffer
  readonly modRevision: Revision
}

const put = 1
const tombstone = 0
const firstByte = Buffer.from([0])
const compactKey = Buffer.from('compact')

/**
 * What is on the disk, and how a past revision is found in it. Five tables:
 *
 * - `versions`  key 0x00 revision → 1 and the value, or 0 for a delete. The values; everything else is an index to it.
 * - `current`   key → revision of the newest version, for keys that exist now. Reads of the present never meet old versions.
 * - `dead`      key → revision of the delete, for keys that do not exist now but did at a revision that is still kept.
 * - `log`       revision → time, put or delete, key. One line for every revision from the compacted one to the newest.
 * - `meta`      format; compact → revision.
 *
 * `current` and `dead` together hold every key that has a history, in order: a list at a past revision walks both, and looks into
 * `versions` only for the keys that were changed since.
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

  /** The revision of the oldest line of the log. */
  oldestLogRevision (): Revision | undefined {
    for (const key of this.#db.log.getKeys({ limit: 1 })) return readRevision(key)
    return undefined
  }

  compactRevision (): Revision {
    const found = this.#db.meta.get(compactKey)
    return found === undefined ? 1n : readRevision(found)
  }

  /** The revision of the newest version of a key that exists now. */
  headRevision (key: Buffer): Revision | undefined {
    const found = this.#db.current.get(key)
    return found === undefined ? undefined : readRevision(found)
  }

  /** A key as it was at a revision. */
  get (key: Buffer, at: Revision): StoredValue | undefined {
    const head = this.headRevision(key)
    if (head !== undefined && head <= at) return this.value({ key, modRevision: head })
    if (head === undefined) {
      const died = this.#db.dead.get(key)
      if (died === undefined || readRevision(died) <= at) return undefined
    }
    const modRevision = this.#versionAt(key, at)
    return modRevision === undefined ? undefined : this.value({ key, modRevision })
  }

  /** The value of a version that is a put. */
  value ({ key, modRevision }: Found): StoredValue {
    const bytes = this.#db.versions.get(versionKey(key, modRevision))
    if (bytes === undefined || bytes[0] !== put) throw new Error(`the value of ${key.toString()} at ${modRevision} is missing`)
    return { key: key.toString(), value: bytes.subarray(1), modRevision }
  }

  /**
   * The keys of a range that exist at a revision, in order; stops after having looked at `budget` keys, and then `next` is where to go on.
   * With `isHead`, nothing has been written after the revision, which spares the look at dead keys.
   */
  scan ({ start, end }: KeyRange, at: Revision, { limit, budget, isHead }: { limit: number, budget: number, isHead: boolean }): { found: Found[], next: Buffer | undefined } {
    const found: Found[] = []
    let looked = 0
    for (const { key, revision, alive } of merged(this.#db.current, isHead ? undefined : this.#db.dead, { start, end })) {
      if (found.length >= limit || looked++ >= budget) return { found, next: key }
      if (revision <= at) {
        if (alive) found.push({ key, modRevision: revision })
        continue
      }
      const modRevision = this.#versionAt(key, at)
      if (modRevision !== undefined) found.push({ key, modRevision })
    }
    return { found, next: undefined }
  }

  /** How many keys of a range exist at a revision, if at most `maxChanges` writes were made since; undefined if more. Costs a count in LMDB and a look at each of these writes. */
  count ({ start, end }: KeyRange, at: Revision, maxChanges: number): number | undefined {
    const newest = this.newestRevision()
    if (newest - at > BigInt(maxChanges)) return undefined
    let count = this.#db.current.getKeysCount(range(start, end))
    const seen = new Set<string>()
    for (const { key } of this.readLog(at + 1n, newest, maxChanges)) {
      const id = key.toString('latin1')
      if (seen.has(id) || Buffer.compare(key, start) < 0 || (end !== undefined && Buffer.compare(key, end) >= 0)) continue
      seen.add(id)
      count += (this.#versionAt(key, at) === undefined ? 0 : 1) - (this.headRevision(key) === undefined ? 0 : 1)
    }
    return count
  }

  /** Lines of the log from one revision to another (both inclusive), in order. */
  readLog (from: Revision, to: Revision, limit: number): LogEntry[] {
    const entries: LogEntry[] = []
    for (const { key, value } of this.#db.log.getRange({ start: revisionKey(from), end: revisionKey(to + 1n), limit })) entries.push(readLogEntry(key, value))
    return entries
  }

  logEntry (revision: Revision): LogEntry | undefined {
    const value = this.#db.log.get(revisionKey(revision))
    return value === undefined ? undefined : readLogEntry(revisionKey(revision), value)
  }

  /** A line of the log as the event that a watch delivers. */
  event ({ type, key, revision }: LogEntry): StorageEvent {
    if (type === 'delete') return { type, key: key.toString(), modRevision: revision }
    return { type, ...this.value({ key, modRevision: revision }) }
  }

  /** Within a batch: adds the versions and index entries of one write. */
  write (key: Buffer, value: Buffer | undefined, revision: Revision, timeMs: number): void {
    const { versions, current, dead, log } = this.#db
    const id = revisionKey(revision)
    if (value === undefined) {
      versions.put(versionKey(key, revision), Buffer.from([tombstone]))
      current.remove(key)
      dead.put(key, id)
    } else {
      versions.put(versionKey(key, revision), Buffer.concat([Buffer.from([put]), value]))
      current.put(key, id)
      dead.remove(key)
    }
    const head = Buffer.allocUnsafe(9)
    head.writeBigUInt64BE(BigInt(Math.trunc(timeMs)))
    head[8] = value === undefined ? tombstone : put
    log.put(id, Buffer.concat([head, key]))
  }

  /** Within a batch: remembers that history before the revision is gone. */
  writeCompactRevision (revision: Revision): void {
    this.#db.meta.put(compactKey, revisionKey(revision))
  }

  /**
   * Within a batch: forgets what the lines of the log make superfluous, given that history before `keepLogFrom` is gone: the versions
   * before each, deletes themselves, and the lines before `keepLogFrom`. A version stays as long as it is the newest at that revision.
   */
  forget (entries: readonly LogEntry[], keepLogFrom: Revision): void {
    const { versions, dead, log } = this.#db
    // The removals show only once they are committed, so that the versions before an earlier line of the same key must be passed over.
    const forgotten = new Map<string, Revision>()
    for (const { key, revision, type } of entries) {
      const id = key.toString('latin1')
      for (const old of versions.getKeys({ start: versionKey(key, forgotten.get(id) ?? 0n), end: versionKey(key, revision) })) {
        if (old.length === key.length + 9) versions.remove(old)
      }
      forgotten.set(id, revision)
      if (type === 'delete') {
        versions.remove(versionKey(key, revision))
        const died = dead.get(key)
        if (died !== undefined && readRevision(died) === revision) dead.remove(key)
      }
      if (revision < keepLogFrom) log.remove(revisionKey(revision))
    }
  }

  /** The newest version of a key at a revision; undefined if that is a delete or there is none. */
  #versionAt (key: Buffer, at: Revision): Revision | undefined {
    // Another key with a 0x00 in it can lie between two versions of this one, but never with the same length.
    for (const { key: id, value } of this.#db.versions.getRange({ start: versionKey(key, at), end: versionKey(key, 0n), reverse: true })) {
      if (id.length === key.length + 9) return value[0] === put ? readRevision(id.subarray(key.length + 1)) : undefined
    }
    return undefined
  }
}

/** The entries of `current` and `dead`, which have no key in common, in the order of keys. */
function * merged (current: Table, dead: Table | undefined, { start, end }: KeyRange): Generator<{ key: Buffer, revision: Revision, alive: boolean }> {
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

function versionKey (key: Buffer, revision: Revision): Buffer {
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

function readLogEntry (key: Buffer, value: Buffer): LogEntry {
  return { revision: readRevision(key), timeMs: Number(value.readBigUInt64BE()), type: value[8] === put ? 'put' : 'delete', key: value.subarray(9) }
}
