import type { IKeyValue } from 'etcd3'
import { StorageError, isStorageError } from '../errors.js'
import type { Revision } from '../interfaces.js'
import { toStoredValue } from './values.js'

/** A write that was sent and not answered. */
export type Unsettled =
  | { readonly operation: 'create'; readonly key: string; readonly value: Buffer }
  | { readonly operation: 'update'; readonly key: string; readonly value: Buffer; readonly modRevision: Revision }
  | { readonly operation: 'delete'; readonly key: string; readonly modRevision: Revision }

/** Reads a key, now (linearizable) or as of a revision. */
export type ReadKey = (key: string, revision?: Revision) => Promise<IKeyValue | undefined>

/** The key's history is walked back over at most so many writes of others. */
const mostSteps = 32

/**
 * Finds out by reading what became of a write. Answers the revision of the write if it is certain that it happened, throws
 * `Conflict` if it is certain that it did not and never will, and `OutcomeUnknown` otherwise. What can be certain follows from two
 * facts: every transaction of ours compares the key's mod revision (0 for a key that must not exist) first, and mod revisions never return.
 *
 * - A write that does not show has not failed: the request may still wait in a socket or in etcd's log and be applied after the
 *   read. It is dead only once the revision that it compares with is history.
 * - update at M: the transaction can only have made the write that directly follows M on this key. If another value stands there, ours
 *   lost: `Conflict`. If our bytes stand there, they are ours or those of somebody who wrote the same bytes at the same revision. Then
 *   claiming success could tell two clients that each of them counted from 5 to 6; so success needs `provesAuthorship`.
 *   (The newest value alone proves nothing: it may be a later write, or A may have become B and A again.)
 * - create: it can only have made the first version of a life of the key. If that has our bytes and they carry an identity that nobody
 *   else can have written, it is ours, whatever was written over it since. Anything else says nothing: ours may have been
 *   created and deleted before this life began, or may still come after it.
 * - delete at M: if the key still has the life that it had at M and has moved on, nobody deleted it: `Conflict`. If it is gone, or lives
 *   again, it was deleted by us or by somebody else, which no read can tell. Callers may treat a delete whose key is gone as
 *   they like; this does not guess.
 */
export async function settle (write: Unsettled, read: ReadKey, provesAuthorship: (operation: 'create' | 'update', value: Buffer) => boolean, cause: unknown): Promise<{ revision: Revision }> {
  const unknown = (reason: string, error: unknown = cause): StorageError =>
    new StorageError('OutcomeUnknown', `etcd did not answer the ${write.operation} of ${write.key}, and reading back does not tell whether it happened: ${reason}`, { key: write.key, cause: error })
  try {
    const current = await read(write.key)
    if (current === undefined) throw unknown('the key does not exist now')
    if (write.operation === 'create') {
      const created = BigInt(current.create_revision)
      const first = current.version === '1' ? current : await read(write.key, created)
      if (first?.value.equals(write.value) !== true) throw unknown('the key has another value')
      if (!provesAuthorship('create', write.value)) throw unknown('the value is there, but somebody else may have written the same')
      return { revision: created }
    }
    if (BigInt(current.mod_revision) === write.modRevision) throw unknown('the key is as it was, and the request may still be under way')
    if (BigInt(current.create_revision) > write.modRevision) throw unknown('the key was deleted and created again')
    if (write.operation === 'update') {
      const next = await successor(write.key, current, write.modRevision, read)
      if (next === undefined) throw unknown('too many other writes followed')
      if (next.value.equals(write.value)) {
        if (!provesAuthorship('update', write.value)) throw unknown('the value is there, but somebody else may have written the same')
        return { revision: BigInt(next.mod_revision) }
      }
    }
    throw new StorageError('Conflict', `${write.key} is not at revision ${write.modRevision}`, { key: write.key, current: toStoredValue(current), cause })
  } catch (error) {
    if (isStorageError(error, 'Unavailable', 'Compacted', 'FutureRevision', 'Closed')) throw unknown((error as Error).message, error)
    throw error
  }
}

/**
 * Whether the bytes are a Kubernetes object with a `metadata.uid`. The server makes a fresh uid for every create and takes none from
 * clients, so the bytes of a create cannot be anybody else's. An update carries the uid that the object already has: no proof.
 */
export function hasOwnUid (operation: 'create' | 'update', value: Buffer): boolean {
  if (operation !== 'create') return false
  try {
    const { metadata } = JSON.parse(value.toString()) as { metadata?: { uid?: unknown } }
    return typeof metadata?.uid === 'string' && metadata.uid !== ''
  } catch {
    return false
  }
}

/** The version of the key that directly followed `modRevision`; undefined if it lies too far back. */
async function successor (key: string, current: IKeyValue, modRevision: Revision, read: ReadKey): Promise<IKeyValue | undefined> {
  let next = current
  for (let step = 0; step < mostSteps; step++) {
    const before = await read(key, BigInt(next.mod_revision) - 1n)
    if (before === undefined || BigInt(before.mod_revision) < modRevision) return undefined
    if (BigInt(before.mod_revision) === modRevision) return next
    next = before
  }
  return undefined
}
