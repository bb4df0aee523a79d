import type { ListQuery } from '../../registry/generic/store/store.js'
import type { RequestContext } from '../request-context.js'
import { respond } from '../responses/respond.js'
import { presentList } from '../responses/views.js'
import { listOptions, selectedName, selection } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'

/** GET of a collection, in one namespace or in all. */
export async function handleList (context: RequestContext, scope: RequestScope): Promise<void> {
  const format = outputFormat(context)
  const { namespace } = target(context)
  const options = listOptions(context.query, scope, false)
  const shown = presentation(context, scope, format)
  const name = namespace !== '' || !scope.resource.namespaced ? selectedName(options) : undefined
  const query: ListQuery = {
    namespace,
    name,
    limit: options.limit,
    continueToken: options.continueToken,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
    matches: selection(options, scope)
  }
  const result = await scope.store.list(query).catch((error: unknown) => {
    if (scope.endingNamespaces === undefined || options.continueToken !== '') throw error
    return scope.endingNamespaces.list(scope.store, namespace, error)
  })
  const turn = scope.largeAnswers.turn(result.items.length)
  if (turn !== undefined) await turn
  await respond(context, { status: 200, ...presentList(result.items, result, shown, scope.resource.names.listKind) })
}
