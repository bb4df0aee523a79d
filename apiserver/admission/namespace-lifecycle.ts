import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../registry/codec/value.js'
import { newInternalError, newNotFound, StatusError } from '../../registry/meta/status-error.js'
import type { ClusterClient } from '../cluster/client.js'
import { isClusterError } from '../cluster/errors.js'
import { Informer } from '../cluster/informer.js'
import { retry } from '../cluster/retry.js'
import { admissionForbidden } from './errors.js'
import type { AdmissionAttributes, AdmissionPlugin } from './interfaces.js'

export interface NamespaceLifecycleOptions {
  readonly client: ClusterClient
  readonly onError: (error: unknown) => void
  /** How long a create waits for a namespace that was made a moment ago. Default 50 ms. */
  readonly missingWaitMs?: number | undefined
  /** How long a write waits for the first list of namespaces. Default 10 s. */
  readonly readyWaitMs?: number | undefined
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined
}

type Phase = 'Active' | 'Terminating' | ''

/**
 * Nothing is written into a namespace that does not exist, and nothing new into one that is being terminated; deletions always pass.
 * Namespaces are followed by an informer; one that is not there yet is asked for. Source: k8s.io/apiserver
 * `admission/plugin/namespace/lifecycle` (contract §9.1).
 */
export class NamespaceLifecycle implements AdmissionPlugin {
  readonly name = 'NamespaceLifecycle'
  readonly operations = ['CREATE', 'UPDATE'] as const
  readonly mutates = false
  readonly #options: NamespaceLifecycleOptions
  readonly #namespaces: Informer<Phase>

  constructor (options: NamespaceLifecycleOptions) {
    this.#options = options
    this.#namespaces = new Informer<Phase>({ client: options.client, path: '/api/v1/namespaces', keep: phaseOf, onError: options.onError, backoff: options.backoff })
  }

  start (): void { this.#namespaces.start() }
  stop (): Promise<void> { return this.#namespaces.stop() }

  /** Whether the namespaces are known; until then writes wait. */
  get hasSynced (): boolean { return this.#namespaces.hasSynced }

  /** Whether a namespace is being terminated, as last heard. */
  isTerminating (namespace: string): boolean { return this.#namespaces.get(namespace) === 'Terminating' }

  /** Asks the cluster whether a namespace exists. @throws StatusError 500 */
  async exists (namespace: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#live(namespace, signal)
      return true
    } catch (error) {
      if (error instanceof StatusError && error.code === 404) return false
      throw error
    }
  }

  /** @throws StatusError 403, 404, 500 */
  async admit (attributes: AdmissionAttributes): Promise<void> {
    const { namespace, operation, signal } = attributes
    if (namespace === '') return
    if (!this.#namespaces.hasSynced && !await this.#namespaces.whenSynced(this.#options.readyWaitMs ?? 10_000)) {
      throw admissionForbidden(attributes, 'not yet ready to handle request')
    }
    let phase = this.#namespaces.get(namespace)
    if (phase === undefined && operation === 'CREATE') {
      await sleep(this.#options.missingWaitMs ?? 50, undefined, { signal })
      phase = this.#namespaces.get(namespace)
    }
    phase ??= await this.#live(namespace, signal)
    if (operation === 'CREATE' && phase === 'Terminating') {
      throw admissionForbidden(attributes, `unable to create new content in namespace ${namespace} because it is being terminated`,
        [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }])
    }
  }

  async #live (namespace: string, signal: AbortSignal): Promise<Phase> {
    try {
      const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`
      return phaseOf(await retry(() => this.#options.client.json<JsonObject>({ method: 'GET', path, signal }), { signal }))
    } catch (error) {
      if (isClusterError(error, 404)) throw newNotFound({ group: '', resource: 'namespaces' }, namespace)
      throw newInternalError(error instanceof Error ? error.message : String(error), { cause: error })
    }
  }
}

const phaseOf = (namespace: JsonObject): Phase => ((namespace['status'] as { phase?: Phase } | undefined)?.phase) ?? ''
