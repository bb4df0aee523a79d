/**
 * The contract between what an object is (`registry`) and where its bytes are kept. Semantics are etcd's: one global revision
 * that every write raises by one, keys ordered by their bytes, history readable at a past revision until it is compacted.
 * Nothing here knows HTTP, Status or label syntax.
 */

/** A point in the store's history. The first write of an empty store has revision 2, as in etcd. Never converted to a number. */
export type Revision = bigint

/** One key as it stands at some revision. */
export interface StoredValue {
  readonly key: string
  readonly value: Buffer
  /** The revision of the write that made this value. */
  readonly modRevision: Revision
}

export interface GetResult {
  /** Absent when the key does not exist at that revision. */
  readonly value: StoredValue | undefined
  /** The store's revision that the answer reflects. */
  readonly revision: Revision
}

export interface ListOptions {
  /** Read as of this revision; without it the answer is linearizable (it reflects every write acknowledged before the call). */
  readonly revision?: Revision | undefined
  /** Begin at this key (inclusive) instead of at the prefix. */
  readonly startKey?: string | undefined
  /** At most so many items; 0 or absent means all. */
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ListResult {
  /** In key order. */
  readonly items: readonly StoredValue[]
  /** The revision that the answer reflects: the asked one, or the current one. */
  readonly revision: Revision
  /** How many further keys of the prefix follow after the last item. */
  readonly remaining: number
}

/** A change of one key, in revision order. The previous value is not carried: whoever needs it keeps it (the cacher does). */
export type StorageEvent =
  | { readonly type: 'put'; readonly key: string; readonly value: Buffer; readonly modRevision: Revision }
  | { readonly type: 'delete'; readonly key: string; readonly modRevision: Revision }

/**
 * Some changes, and a promise: every change of the watched prefix up to and including `revision` has now been delivered.
 * A batch without events is a progress notification.
 */
export interface WatchBatch {
  readonly events: readonly StorageEvent[]
  readonly revision: Revision
}

/** A running watch. Iterating ends cleanly after `close`, and throws StorageError `Compacted`, `Unavailable` or `Closed`. */
export interface StorageWatch extends AsyncIterable<WatchBatch> {
  /** Asks for a batch (possibly empty) whose revision is at least the store's revision at the time of this call. Cheap; may be coalesced. */
  requestProgress(): void
  close(): void
}

export interface WatchOptions {
  /** Deliver changes with a revision greater than this one. */
  readonly afterRevision: Revision
}

/**
 * A key-value store with history. Every method rejects with `StorageError` and nothing else.
 * A write that rejects with any code but `OutcomeUnknown` did not happen. No implementation retries a write.
 */
export interface Storage {
  /** Reads one key; linearizable without a revision. @throws Compacted, FutureRevision, Unavailable */
  get (key: string, options?: { revision?: Revision | undefined; signal?: AbortSignal | undefined }): Promise<GetResult>
  /** Reads the keys that start with `prefix`, in order. @throws Compacted, FutureRevision, Unavailable */
  list (prefix: string, options?: ListOptions): Promise<ListResult>
  /** Writes a key that must not exist. Answers only once the write is durable. @throws KeyExists (with `current`), TooLarge, Unavailable, OutcomeUnknown, NoSpace */
  create (key: string, value: Buffer): Promise<{ revision: Revision }>
  /** Replaces a key whose modRevision must be the given one. @throws Conflict (with `current`, absent if the key is gone), TooLarge, Unavailable, OutcomeUnknown, NoSpace */
  update (key: string, value: Buffer, expected: { modRevision: Revision }): Promise<{ revision: Revision }>
  /** Removes a key whose modRevision must be the given one. @throws Conflict (with `current`, absent if the key is gone), Unavailable, OutcomeUnknown, NoSpace */
  delete (key: string, expected: { modRevision: Revision }): Promise<{ revision: Revision }>
  /** Follows a prefix. Revisions in the future are fine: the watch is silent until then. Errors arrive through the iteration. */
  watch (prefix: string, options: WatchOptions): StorageWatch
  /** Forgets history before `revision`: reads and watches below it then fail with `Compacted`. Compacting backwards is a no-op. */
  compact (revision: Revision): Promise<void>
  /** The newest revision; linearizable. */
  currentRevision (options?: { signal?: AbortSignal | undefined }): Promise<Revision>
  /**
   * The newest revision, if this engine knows it without asking anybody: what `currentRevision` would answer now. Undefined where that has to
   * be asked, also for what would be its failure.
   */
  knownRevision? (): Revision | undefined
  /** Resolves when the store can serve, rejects with `Unavailable` naming what is wrong. */
  health (options?: { signal?: AbortSignal | undefined }): Promise<void>
  /** Ends every watch with a clean end, waits for writes under way, releases files and connections. Idempotent. */
  close (): Promise<void>
}
