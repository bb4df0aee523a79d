import type { RequestContext } from '../request-context.js'
import { respond } from '../responses/respond.js'
import { presentObject } from '../responses/views.js'
import { getResourceVersion } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'

/** GET of one object, or of its status: the whole object either way. */
export async function handleGet (context: RequestContext, scope: RequestScope): Promise<void> {
  const { namespace, name } = target(context)
  const format = outputFormat(context)
  const resourceVersion = getResourceVersion(context.query)
  const object = await scope.store.get(namespace, name, resourceVersion)
  await respond(context, { status: 200, ...presentObject(object, presentation(context, scope, format)) })
}
