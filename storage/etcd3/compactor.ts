import type { ITxnResponse } from 'etcd3'
import { isStorageError } from '../errors.js'
import type { Revision } from '../interfaces.js'
import { UnsettledWrite, type EtcdClient } from './client.js'

/** The key that all API servers of one etcd agree by; the name is kube-apiserver's. */
const compactRevisionKey = Buffer.from('compact_rev_key')

/**
 * Forgets history that is older than one interval, once per interval for all servers of an etcd together, by the protocol of
 * kube-apiserver (apiserver/pkg/storage/etcd3/compact.go), so that both may share one etcd. The key's version is a logical clock: whoever
 * finds it where it left it moves it on, writes the revision of one interval ago as the value and compacts to that; whoever finds it
 * moved takes the new version over and has nothing to do until next time. So history lives for one to two intervals.
 */
export class Compactor {
  readonly #client: EtcdClient
  readonly #compact: (revision: Revision) => Promise<void>
  #timer: NodeJS.Timeout | undefined
  /** The version of the key when it was last seen; 0 is a key that does not exist. */
  #version = '0'
  /** The store's revision at that time: where the next turn compacts to. */
  #revision = 0n

  constructor (client: EtcdClient, compact: (revision: Revision) => Promise<void>) {
    this.#client = client
    this.#compact = compact
  }

  start (intervalMs: number): void {
    // What goes wrong in one turn (etcd is away) is made up for by the next.
    this.#timer = setInterval(() => { this.turn().catch(() => undefined) }, intervalMs)
    this.#timer.unref()
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  /** One turn. Answers the revision compacted to, or undefined if there was nothing to do. @throws StorageError if etcd does not take it */
  async turn (): Promise<Revision | undefined> {
    const revision = this.#revision
    let reply: ITxnResponse
    try {
      reply = await this.#client.write(async ({ requests }, options) => await requests.kv.txn({
        compare: [{ result: 'Equal', target: 'Version', key: compactRevisionKey, version: this.#version }],
        success: [{ request_put: { key: compactRevisionKey, value: Buffer.from(revision.toString()) } }],
        failure: [{ request_range: { key: compactRevisionKey } }]
      }, options))
    } catch (error) {
      // If it was written after all, the next turn finds the key moved and only takes it over: one interval more of history.
      if (error instanceof UnsettledWrite) return undefined
      throw error
    }
    this.#revision = BigInt(reply.header.revision)
    if (!reply.succeeded) {
      this.#version = reply.responses[0]?.response_range.kvs[0]?.version ?? '0'
      return undefined
    }
    this.#version = (BigInt(this.#version) + 1n).toString()
    // The first turn of all has seen no revision yet.
    if (revision === 0n) return undefined
    try {
      await this.#compact(revision)
    } catch (error) {
      if (!isStorageError(error, 'Compacted')) throw error
    }
    return revision
  }
}
