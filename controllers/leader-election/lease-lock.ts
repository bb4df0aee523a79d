import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isNotFound } from '../client/errors.js'
import type { ObjectName, ResourceClient } from '../client/interfaces.js'
import type { RestClient } from '../client/rest-client.js'

/** `coordination.k8s.io/v1` LeaseSpec. */
export interface LeaseSpec {
  holderIdentity?: string
  leaseDurationSeconds?: number
  /** RFC 3339 with microseconds. */
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
}

export interface Lease extends KubeObject { spec?: LeaseSpec }

/** Who holds a lock, as client-go's LeaderElectionRecord. An empty holder has released it. */
export interface ElectionRecord {
  readonly holderIdentity: string
  readonly leaseDurationSeconds: number
  readonly acquireTime: string
  readonly renewTime: string
  readonly leaderTransitions: number
}

/** A lock that several candidates see, changed only by who has seen its present state. */
export interface ElectionLock {
  /** For messages and metrics. */
  readonly name: string
  get (signal: AbortSignal): Promise<ElectionRecord | undefined>
  create (record: ElectionRecord, signal: AbortSignal): Promise<void>
  /** Replaces what the last get, create or update returned. @throws StatusError Conflict if it has changed since */
  update (record: ElectionRecord, signal: AbortSignal): Promise<void>
}

/** A Lease as a lock, in the form that Go's electors read and write. */
export class LeaseLock implements ElectionLock {
  readonly #client: ResourceClient<Lease>
  readonly #id: ObjectName
  #lease: Lease | undefined

  constructor (client: RestClient, id: { readonly namespace: string, readonly name: string }) {
    this.#client = client.resource<Lease>({ group: 'coordination.k8s.io', version: 'v1', resource: 'leases' })
    this.#id = id
  }

  get name (): string { return this.#id.name }

  async get (signal: AbortSignal): Promise<ElectionRecord | undefined> {
    try {
      this.#lease = await this.#client.get(this.#id, { signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
    return recordOf(this.#lease.spec ?? {})
  }

  async create (record: ElectionRecord, signal: AbortSignal): Promise<void> {
    this.#lease = await this.#client.create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { ...this.#id } as Lease['metadata'], spec: specOf(record) }, { signal })
  }

  async update (record: ElectionRecord, signal: AbortSignal): Promise<void> {
    if (this.#lease === undefined) throw new Error('the lease has to be read before it is updated')
    this.#lease = await this.#client.update({ ...this.#lease, spec: specOf(record) }, { signal })
  }
}

/** `metav1.MicroTime`: Go reads exactly six digits. */
export const microTime = (date: Date): string => date.toISOString().replace('Z', '000Z')

const recordOf = (spec: LeaseSpec): ElectionRecord => ({
  holderIdentity: spec.holderIdentity ?? '',
  leaseDurationSeconds: spec.leaseDurationSeconds ?? 0,
  acquireTime: spec.acquireTime ?? '',
  renewTime: spec.renewTime ?? '',
  leaderTransitions: spec.leaseTransitions ?? 0
})

const specOf = (record: ElectionRecord): LeaseSpec => ({
  holderIdentity: record.holderIdentity,
  leaseDurationSeconds: record.leaseDurationSeconds,
  ...(record.acquireTime !== '' && { acquireTime: record.acquireTime }),
  renewTime: record.renewTime,
  leaseTransitions: record.leaderTransitions
})
