import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isNotFound } from '../client/errors.js'
import type { RequestContext, ResourceClient } from '../client/interfaces.js'
import { fieldManager } from './names.js'

export const finalizerOf = (group: string): string => `${group}/database-operator`

export const hasFinalizer = (object: KubeObject, finalizer: string): boolean => object.metadata.finalizers?.includes(finalizer) === true

/** Has the operator asked before the Database goes. @throws StatusError when it has changed since */
export const addFinalizer = async (client: ResourceClient<KubeObject>, object: KubeObject, finalizer: string, context: RequestContext): Promise<KubeObject> =>
  hasFinalizer(object, finalizer) ? object : await write(client, object, [...object.metadata.finalizers ?? [], finalizer], context)

/** Lets the Database go. @throws StatusError when it has changed since */
export async function removeFinalizer (client: ResourceClient<KubeObject>, object: KubeObject, finalizer: string, context: RequestContext): Promise<void> {
  try {
    await write(client, object, (object.metadata.finalizers ?? []).filter(f => f !== finalizer), context)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** By resourceVersion: others have finalizers there, too. */
async function write (client: ResourceClient<KubeObject>, { metadata: { namespace, name = '', uid, resourceVersion } }: KubeObject, finalizers: readonly string[], { signal }: RequestContext): Promise<KubeObject> {
  return await client.patch({ namespace, name }, { metadata: { uid, resourceVersion, finalizers } }, { type: 'merge', fieldManager, signal })
}
