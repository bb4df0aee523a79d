import type { IRequestOp } from 'etcd3'
import type { Revision } from '../interfaces.js'
import type { EtcdClient } from './client.js'
import { Coalescer } from './coalescer.js'
import { progressIndexKey, progressKey } from './keys.js'
import type { EtcdOperation } from './options.js'

/** etcd's default --max-txn-ops is 128, which operations of a transaction share with those of the transactions nested in it. */
const mostOperations = 60

/**
 * Helps watches to prove that they are up to date: "everything up to the store's newest revision has been delivered".
 *
 * etcd's own answer is the manual progress notification (WatchProgressRequest). Before 3.4.31 and 3.5.13 it may overtake events
 * (etcd issue 15220), so there this does what is right on every version: it *writes*. A watch of the prefix `/registry/g/widgets/` watches
 * a range that is a few bytes longer and contains one key more, right behind the prefix. One etcd watch delivers in the order of
 * revisions, so when the write of that key arrives, everything before it has. One transaction writes the keys of all watches that
 * are open, at one revision: otherwise each resource's proof would raise the revision that the next one has to prove.
 *
 * Cost: one small transaction for each round of requests, shared by all callers and all watches, and only if the store's
 * revision is beyond what the watch has seen; nothing on an idle store. Other replicas that watch the same prefix profit from it. One
 * tiny key per watched prefix stays behind, and one more in an index, by which lists know how many keys they hide. Other readers than this
 * storage see them only if they list a prefix that ends above a resource.
 */
export class Progress {
  readonly #client: EtcdClient
  readonly #observe: <T>(operation: EtcdOperation, work: () => Promise<T>) => Promise<T>
  readonly #prefixes = new Map<string, number>()
  /** Prefixes whose progress key is known to be in the index. */
  readonly #indexed = new Set<string>()
  readonly #target: Coalescer<Revision>
  readonly #touch: Coalescer<void>

  constructor (client: EtcdClient, currentRevision: () => Promise<Revision>, observe: <T>(operation: EtcdOperation, work: () => Promise<T>) => Promise<T>) {
    this.#client = client
    this.#observe = observe
    this.#target = new Coalescer(currentRevision)
    this.#touch = new Coalescer(async () => { await this.#write() })
  }

  /** A revision that is at least the store's at the time of this call. @throws StorageError Unavailable, Closed */
  async target (): Promise<Revision> {
    return await this.#target.run()
  }

  /** Makes the watches that need it see a revision that is at least the store's at the time of this call. @throws what a write throws */
  async touch (): Promise<void> {
    await this.#touch.run()
  }

  /** Adds a prefix whose watch contains its progress key. Answers how to take it out again. */
  add (prefix: string): () => void {
    this.#prefixes.set(prefix, (this.#prefixes.get(prefix) ?? 0) + 1)
    return () => {
      const left = (this.#prefixes.get(prefix) ?? 1) - 1
      if (left > 0) this.#prefixes.set(prefix, left)
      else this.#prefixes.delete(prefix)
    }
  }

  async #write (): Promise<void> {
    const prefixes = [...this.#prefixes.keys()]
    const puts = prefixes.flatMap(prefix => {
      const key = progressKey(prefix)
      return this.#indexed.has(prefix) ? [newPut(key)] : [newPut(key), newPut(progressIndexKey(key))]
    })
    const nested = chunks(puts, mostOperations).map((success): IRequestOp => ({ request_txn: { success } }))
    if (nested.length > mostOperations) throw new Error(`${prefixes.length} watches are too many for one transaction`)
    await this.#observe('progress', async () => await this.#client.write(async ({ requests }, options) => await requests.kv.txn({ success: nested }, options)))
    for (const prefix of prefixes) this.#indexed.add(prefix)
  }
}

function newPut (key: Buffer): IRequestOp {
  return { request_put: { key, value: Buffer.alloc(0) } }
}

function chunks<T> (items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

/** Whether a server's manual progress notifications never overtake events; as Kubernetes decides it (etcdfeature). */
export function hasReliableProgress (version: string): boolean {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version)
  if (match === null) return false
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map(Number)
  if (major !== 3) return major > 3
  if (minor === 4) return patch >= 31
  if (minor === 5) return patch >= 13
  return minor > 5
}
