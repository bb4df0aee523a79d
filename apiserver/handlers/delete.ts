import { StatusError, type Status } from '../../registry/meta/status-error.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { ListQuery } from '../../registry/generic/store/store.js'
import type { DeleteRequest, DeletionOptions } from '../../registry/generic/store/delete.js'
import { RequestAdmission } from '../admission/request-admission.js'
import type { RequestContext } from '../request-context.js'
import { respond } from '../responses/respond.js'
import { presentList, presentObject } from '../responses/views.js'
import { encodeStatus, encodeValue } from '../responses/write-object.js'
import { deletionOptions } from './delete-options.js'
import { listOptions, selection } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'

/** DELETE of one object: a Status when it is gone, the object while finalizers are pending. */
export async function handleDelete (context: RequestContext, scope: RequestScope): Promise<void> {
  const { namespace, name } = target(context)
  const format = outputFormat(context)
  const deletion = await deletionOptions(context, scope)
  const result = await scope.store.delete(name, { namespace, ...deleteRequest(context, scope, deletion) })
  if (!result.deleted) {
    const status = deletion.orphanDependents === false ? 202 : 200
    await respond(context, { status, ...presentObject(result.object, presentation(context, scope, format)) })
    return
  }
  if (result.empty) {
    const { apiVersion, kind } = result.object.object(scope.version)
    await respond(context, { status: 200, ...encodeValue({ apiVersion, kind }, format) })
    return
  }
  const { groupResource } = scope.resource
  const success: Status = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, group: groupResource.group, kind: groupResource.resource, uid: result.object.uid }
  }
  await respond(context, { status: 200, ...encodeStatus(success, format) })
}

/** What one deletion and each of a collection have in common; admission is asked about every object. */
function deleteRequest (context: RequestContext, scope: RequestScope, deletion: DeletionOptions): Omit<DeleteRequest, 'namespace'> {
  const dryRun = (deletion.dryRun?.length ?? 0) > 0
  const admission = RequestAdmission.of(context, scope, { kind: 'DeleteOptions', dryRun, fields: { ...deletion } })
  return {
    version: scope.version, deletion, dryRun, warn: t => { context.warnings.add(t) }, signal: context.signal,
    ...(admission && { validate: old => admission.delete(old) })
  }
}

const deletePageSize = 1000

/** DELETE of a collection: every object that the selectors leave, each with the given options; answers with what was deleted. */
export async function handleDeleteCollection (context: RequestContext, scope: RequestScope): Promise<void> {
  const format = outputFormat(context)
  const { namespace } = target(context)
  const options = listOptions(context.query, scope, false)
  const deletion = await deletionOptions(context, scope)
  const request = deleteRequest(context, scope, deletion)
  const listed: ServedObject[] = []
  let continueToken = options.continueToken
  let resourceVersion = ''
  do {
    const query: ListQuery = {
      namespace,
      limit: options.limit || deletePageSize,
      continueToken,
      resourceVersion: continueToken === '' ? options.resourceVersion : '',
      resourceVersionMatch: continueToken === '' ? options.resourceVersionMatch : '',
      matches: selection(options, scope),
      signal: context.signal
    }
    const page = await scope.store.list(query).catch((error: unknown) => {
      if (scope.endingNamespaces === undefined || continueToken !== '' || request.dryRun) throw error
      return scope.endingNamespaces.deleteCollection(scope.store, namespace, error)
    })
    resourceVersion = page.resourceVersion
    // One after the other, as upstream (--delete-collection-workers is 1): watchers see the objects go in the order of their names.
    for (const item of page.items) {
      try {
        await scope.store.delete(item.name, { namespace: item.namespace, ...request })
      } catch (error) {
        if (!(error instanceof StatusError && error.reason === 'NotFound')) throw error
      }
    }
    listed.push(...page.items)
    continueToken = page.continueToken
  } while (continueToken !== '' && options.limit === 0)
  const meta = { resourceVersion, continueToken, remainingItemCount: undefined }
  await respond(context, { status: 200, ...presentList(listed, meta, presentation(context, scope, format), scope.resource.names.listKind) })
}
