import { isDeepStrictEqual } from 'node:util'
import type { ClusterClient } from '../cluster/client.js'
import { ClusterError, isClusterError } from '../cluster/errors.js'
import { retry } from '../cluster/retry.js'
import type { Condition } from '../../registry/meta/condition.js'
import { displayName, objectPath, type Manifest } from './manifests/manifest.js'
import { names } from './names.js'

/** An object as the cluster has it. */
export interface ClusterObject extends Manifest {
  readonly metadata: Manifest['metadata'] & { readonly resourceVersion: string; readonly uid: string; readonly deletionTimestamp?: string; readonly managedFields?: readonly { readonly manager?: string; readonly subresource?: string; readonly fieldsV1?: object }[]; readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[] }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

/** An APIService as much as matters here. */
export interface ApiService extends ClusterObject {
  readonly spec: {
    readonly group: string
    readonly version: string
    readonly service?: { readonly namespace: string; readonly name: string; readonly port?: number }
    readonly caBundle?: string
    readonly insecureSkipTLSVerify?: boolean
  }
}

export const apiServicesPath = '/apis/apiregistration.k8s.io/v1/apiservices'

/** The object at a path, or undefined. @throws ClusterError for every other failure */
export async function find<T = ClusterObject> (client: ClusterClient, path: string): Promise<T | undefined> {
  try {
    return await retry(() => client.json<T>({ method: 'GET', path }))
  } catch (error) {
    if (isClusterError(error, 404)) return undefined
    throw error
  }
}

export type ApplyOutcome =
  | { readonly type: 'created' | 'configured' | 'unchanged' }
  /** Fields that somebody else has set to something else, one line each. */
  | { readonly type: 'conflict'; readonly causes: readonly string[] }

/** Applies one object server-side. It is sent once. @throws ClusterError for what is not a conflict */
export async function apply (client: ClusterClient, manifest: Manifest, { force }: { readonly force: boolean }): Promise<ApplyOutcome> {
  const path = objectPath(manifest)
  const before = await find(client, path)
  try {
    const after = await client.json<ClusterObject>({
      method: 'PATCH', path: `${path}?fieldManager=${names.fieldManager}&force=${force}`, body: JSON.stringify(manifest), contentType: 'application/apply-patch+yaml', timeoutMs: 30_000
    })
    return { type: before === undefined ? 'created' : isDeepStrictEqual(ofInstall(before), ofInstall(after)) ? 'unchanged' : 'configured' }
  } catch (error) {
    if (!isClusterError(error, 409)) throw new ClusterError(`${displayName(manifest)}: ${(error as Error).message}`, error instanceof ClusterError ? { code: error.code, status: error.status, cause: error } : { cause: error })
    const { status, message } = error as ClusterError
    const causes = status?.details?.causes?.map(c => `${c.message} (${c.field})`) ?? []
    return { type: 'conflict', causes: causes.length > 0 ? causes : [message] }
  }
}

/** An object without what controllers write to it, which they may do between two looks: the status, and all that is written along with it. */
function ofInstall (object: ClusterObject): object {
  const { annotations = {}, managedFields = [] } = object.metadata
  const kept = Object.entries(annotations).filter(([name]) => name !== 'deployment.kubernetes.io/revision')
  const own = managedFields.filter(f => f.manager === names.fieldManager && f.subresource === undefined).map(f => f.fieldsV1)
  return { ...object, status: undefined, metadata: { ...object.metadata, resourceVersion: undefined, annotations: Object.fromEntries(kept), managedFields: own } }
}

/**
 * Whom a group version is registered for, if that is not the given Service: another server, or the cluster's own
 * CustomResourceDefinitions, which kube-apiserver registers and keeps registered.
 */
export function otherServer (found: ApiService, service: { readonly namespace: string; readonly name: string }): { readonly who: string; readonly automanaged: boolean } | undefined {
  const { service: registered } = found.spec
  if (registered === undefined) return { who: 'kube-apiserver itself (a CustomResourceDefinition of the cluster)', automanaged: true }
  return registered.namespace === service.namespace && registered.name === service.name ? undefined : { who: `the Service ${registered.namespace}/${registered.name}`, automanaged: false }
}
