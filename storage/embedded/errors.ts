import { statfs } from 'node:fs/promises'
import { constants } from 'node:os'
import { StorageError } from '../errors.js'

/** LMDB's own code for a full memory map. */
const mapFull = -30792

/** Errors of the system that say that there is no room, as numbers (from LMDB) and as names (from node:fs). */
const noRoom = new Set<unknown>([mapFull, constants.errno.ENOSPC, constants.errno.EDQUOT, constants.errno.EFBIG, 'ENOSPC', 'EDQUOT', 'EFBIG'])

/** Less than this is a full disk: a commit needs room for a few pages at least. */
const fullBelowBytes = 1 << 20

/**
 * Whether a failed commit means that the disk, the quota or the permitted file size is used up. LMDB reports a write that found room for a
 * part only as EIO; whether that was it shows in the file system.
 */
export async function isNoRoom (error: unknown, directory: string): Promise<boolean> {
  const code = (error as { code?: unknown } | undefined)?.code
  if (noRoom.has(code)) return true
  if (code !== constants.errno.EIO) return false
  try {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize < fullBelowBytes
  } catch {
    return false
  }
}

/**
 * The reason why a commit failed. LMDB rejects the write with an error that only points to `commitError`, a promise that rejects
 * with the reason a moment later; if it never does (LMDB gives codes 1 and 2 another meaning), the first error has to do.
 */
export async function commitFailure (rejection: unknown): Promise<Error> {
  const reason = (rejection as { commitError?: Promise<unknown> } | undefined)?.commitError
  let timer: NodeJS.Timeout | undefined
  try {
    await Promise.race([reason, new Promise(resolve => { timer = setTimeout(resolve, 1_000) })])
  } catch (cause) {
    return asError(cause)
  } finally {
    clearTimeout(timer)
  }
  return asError(rejection)
}

export function asError (error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

export function closedError (directory: string): StorageError {
  return new StorageError('Closed', `the store in ${directory} is closed`)
}

/** Throws `Aborted` if the caller's signal has ended the wait. */
export function throwIfAborted (signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new StorageError('Aborted', 'the read was aborted by its caller', { cause: signal.reason })
}

/** An error of the database as the StorageError that it is for a caller; a StorageError stays what it is. */
export function asStorageError (error: unknown, directory: string): StorageError {
  return error instanceof StorageError ? error : new StorageError('Unavailable', `the store in ${directory} cannot be read: ${asError(error).message}`, { cause: error })
}
