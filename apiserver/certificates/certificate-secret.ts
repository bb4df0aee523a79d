import { sharedKeys, type SharedData } from '../../certs/shared-material.js'
import type { RotationStage } from '../../certs/rotation.js'
import type { JsonObject } from '../../registry/codec/value.js'
import type { ClusterClient } from '../cluster/client.js'
import { ClusterError, isClusterError } from '../cluster/errors.js'
import type { ObjectName } from '../options/cluster-options.js'

/** Asks for a new authority whenever its value is another than last time. */
export const rotateAnnotation = 'annex/rotate'
const rotatedAnnotation = 'annex/rotated'
const stageAnnotation = 'annex/certificate-stage'
const sinceAnnotation = 'annex/certificate-stage-since'
const managedBy = 'app.kubernetes.io/managed-by'

interface SecretObject extends JsonObject {
  metadata: { name: string; resourceVersion?: string; labels?: Record<string, string>; annotations?: Record<string, string> } & JsonObject
  data?: Record<string, string>
}

/** A Secret as it was when it was read. */
export interface StoredSecret {
  readonly object: SecretObject
  readonly data: SharedData
  readonly recorded: { readonly stage: string; readonly since: Date } | undefined
  /** The value of an `annex/rotate` that has not been followed yet. */
  readonly request: string | undefined
}

export interface SecretChange {
  readonly data: SharedData
  readonly stage: RotationStage
  readonly since: Date
  /** The request that this change follows. */
  readonly request: string | undefined
}

/**
 * The Secret in which replicas share their certificates. A write succeeds only if nobody else has written since the read that it is based
 * on, so replicas need no lock: the first one wins and the others see what it wrote.
 */
export class CertificateSecret {
  readonly #client: ClusterClient
  readonly #name: ObjectName
  readonly #collection: string

  constructor (client: ClusterClient, name: ObjectName) {
    this.#client = client
    this.#name = name
    this.#collection = `/api/v1/namespaces/${name.namespace}/secrets`
  }

  /** For messages. */
  get title (): string { return `secret ${this.#name.namespace}/${this.#name.name}` }
  get path (): string { return `${this.#collection}/${this.#name.name}` }
  get collection (): string { return this.#collection }
  get name (): string { return this.#name.name }

  /** @returns undefined if there is none @throws ClusterError; Error if it is somebody else's */
  async read (signal?: AbortSignal): Promise<StoredSecret | undefined> {
    let object: SecretObject
    try {
      object = await this.#client.json<SecretObject>({ method: 'GET', path: this.path, signal })
    } catch (error) {
      if (isClusterError(error, 404)) return undefined
      throw this.#explain(error, 'read', 'get')
    }
    return this.#stored(object)
  }

  /**
   * Creates the Secret, or replaces what was read.
   * @returns undefined if somebody else was faster: read again and think again
   * @throws ClusterError
   */
  async write (before: StoredSecret | undefined, change: SecretChange, signal?: AbortSignal): Promise<StoredSecret | undefined> {
    const object = this.#changed(before?.object, change)
    const body = JSON.stringify(object)
    try {
      const written = before === undefined
        ? await this.#client.json<SecretObject>({ method: 'POST', path: `${this.#collection}?fieldManager=annex-certificates`, body, signal })
        : await this.#client.json<SecretObject>({ method: 'PUT', path: `${this.path}?fieldManager=annex-certificates`, body, signal })
      return this.#stored(written)
    } catch (error) {
      if (isClusterError(error, 409)) return undefined
      // Deleted between the read and the write; a create answers 404 only if the namespace is missing.
      if (before !== undefined && isClusterError(error, 404)) return undefined
      throw before === undefined ? this.#explain(error, 'created', 'create') : this.#explain(error, 'changed', 'update')
    }
  }

  #changed (before: SecretObject | undefined, { data, stage, since, request }: SecretChange): SecretObject {
    const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
    const others = Object.fromEntries(Object.entries(before?.data ?? {}).filter(([key]) => !sharedKeys.includes(key)))
    return {
      type: 'kubernetes.io/tls',
      ...before,
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        ...before?.metadata ?? { namespace: this.#name.namespace },
        name: this.#name.name,
        labels: { ...before?.metadata.labels, [managedBy]: 'annex' },
        annotations: {
          ...before?.metadata.annotations,
          [stageAnnotation]: stage,
          [sinceAnnotation]: since.toISOString(),
          ...(request !== undefined && { [rotatedAnnotation]: request })
        }
      },
      data: { ...others, ...encoded }
    }
  }

  #stored (object: SecretObject): StoredSecret {
    const { annotations = {}, labels = {} } = object.metadata
    const data = Object.fromEntries(Object.entries(object.data ?? {}).flatMap(([key, value]) => sharedKeys.includes(key) ? [[key, Buffer.from(value, 'base64').toString()]] : []))
    if (annotations['cert-manager.io/certificate-name'] !== undefined) {
      throw new Error(`${this.title} is kept by cert-manager: mount it and name its files with --tls-cert-file and --tls-private-key-file, or name another Secret`)
    }
    // An empty one may have been made for us; one with a key of an authority that fits is ours, whatever became of its label.
    if (labels[managedBy] !== 'annex' && !('ca.key' in data) && Object.values(data).some(text => text !== '')) {
      throw new Error(`${this.title} holds certificates that are not annex's: name another Secret, or delete it, or label it ${managedBy}=annex to have them replaced`)
    }
    const since = new Date(annotations[sinceAnnotation] ?? '')
    const stage = annotations[stageAnnotation]
    const request = annotations[rotateAnnotation]
    return {
      object, data,
      recorded: stage === undefined || Number.isNaN(since.getTime()) ? undefined : { stage, since },
      request: request === annotations[rotatedAnnotation] ? undefined : request
    }
  }

  #explain (error: unknown, done: string, verb: string): unknown {
    if (!(error instanceof ClusterError) || (error.code !== 403 && error.code !== 404)) return error
    const fix = error.code === 404 ? `does the namespace ${this.#name.namespace} exist?` : `the server's user needs the verb ${verb} for it`
    return new ClusterError(`${this.title} cannot be ${done} (${fix}): ${error.message}`, { code: error.code, status: error.status, cause: error })
  }
}
