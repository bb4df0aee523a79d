import type { Test } from 'tap'
import { StorageError, type StorageErrorCode } from '../../storage/errors.js'
import type { Revision, Storage, StoredValue } from '../../storage/interfaces.js'

/** What a test gets: a store, or a private prefix of a shared one, that nothing else writes to and that holds no key. */
export interface StorageUnderTest {
  readonly storage: Storage
  /** Put before every key of the tests, for a store that is not private by itself. Empty if absent. */
  readonly prefix?: string
  /** Larger than the store takes in one value. 2 MiB if absent. */
  readonly tooManyBytes?: number
}

/** Opens what one test uses, and registers its end with `t.teardown` (closing twice is fine: tests may close the store themselves). */
export type OpenStorage = (t: Test) => Promise<StorageUnderTest>

/** The StorageError of one of the codes that a call rejects with; anything else fails the test. */
export async function failure (promise: Promise<unknown>, ...codes: StorageErrorCode[]): Promise<StorageError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof StorageError && codes.includes(error.code)) return error
    throw error
  }
  throw new Error(`the call should have failed with ${codes.join(' or ')}`)
}

export function bytes (text: string): Buffer {
  return Buffer.from(text)
}

export function shown (value: StoredValue | undefined): [string, string, Revision] | undefined {
  return value === undefined ? undefined : [value.key, value.value.toString(), value.modRevision]
}
