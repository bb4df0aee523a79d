import type { KubeObject, OwnerReference } from '../../registry/meta/object-meta.js'
import { printJson } from '../../registry/codec/json-print.js'
import type { JsonValue } from '../../registry/codec/value.js'
import { newBadRequest } from '../../registry/meta/status-error.js'
import { timestamp, type WriteOptions } from '../../registry/generic/store/context.js'
import type { RequestContext } from '../request-context.js'
import { managerName, type WritingOptions } from './options.js'
import { target, type RequestScope } from './scope.js'

/** What create, update and patch have in common. */

export function writeOptions (context: RequestContext, scope: RequestScope, options: WritingOptions): WriteOptions {
  return { version: scope.version, namespace: target(context).namespace, dryRun: options.dryRun, warn: t => { context.warnings.add(t) }, signal: context.signal }
}

/** The manager and the time under which a write's fields are owned. */
export const writer = (context: RequestContext, scope: RequestScope, options: WritingOptions): { manager: string; now: string } =>
  ({ manager: managerName(options.fieldManager, context.header('user-agent')), now: timestamp(scope.store.now()) })

/** The body must be about the object of the URL. @throws StatusError 400 */
export function checkName (object: KubeObject, context: RequestContext): void {
  const { name, namespace } = target(context)
  const { metadata } = object
  if (!metadata.name) throw newBadRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
  if (metadata.name !== name) throw newBadRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`)
  if (namespace !== '' && metadata.namespace && metadata.namespace !== namespace) {
    throw newBadRequest(`the namespace of the object (${metadata.namespace}) does not match the namespace on the request (${namespace})`)
  }
}

/** Drops owner references that say the same twice, with a warning naming the uids. */
export function dedupOwnerReferences (object: KubeObject, warn: (text: string) => void): void {
  // An apply that takes away what was in it leaves a null.
  const references = object.metadata.ownerReferences as OwnerReference[] | null | undefined
  if (references == null || references.length < 2) return
  const kept: OwnerReference[] = []
  const repeated: string[] = []
  // One text for what says the same, for a client may send very many.
  const seen = new Set<string>()
  for (const r of references) {
    const text = printJson(Object.entries(r).sort(([a], [b]) => a < b ? -1 : 1) as unknown as JsonValue)
    if (seen.has(text)) {
      repeated.push(r.uid)
      continue
    }
    seen.add(text)
    kept.push(r)
  }
  if (repeated.length === 0) return
  object.metadata.ownerReferences = kept
  warn(`.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${repeated.join(', ')}`)
}
