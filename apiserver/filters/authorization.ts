import { newInternalError } from '../../registry/meta/status-error.js'
import { forbiddenError, type Attributes, type Authorizer, type SelectorRequirement } from '../authorization/interfaces.js'
import { parseFieldSelector } from '../../registry/meta/field-selector.js'
import { parseLabelSelector } from '../../registry/meta/label-selector.js'
import type { RequestContext } from '../request-context.js'

/** What authorizers are told of a request. */
export function attributesOf (context: RequestContext): Attributes {
  const { info, user } = context
  if (info.kind === 'path') return { resourceRequest: false, user, verb: info.verb, path: info.path }
  return {
    resourceRequest: true,
    user,
    verb: info.verb,
    path: info.path,
    apiGroup: info.group,
    apiVersion: info.version,
    resource: info.resource,
    subresource: info.subresource,
    namespace: info.namespace,
    name: info.name,
    ...selectors(context)
  }
}

/** @throws StatusError 403, 500 */
export async function authorize (context: RequestContext, authorizer: Authorizer, attributes: Attributes = attributesOf(context)): Promise<string> {
  let result
  try {
    result = await authorizer.authorize(attributes, context)
  } catch (error) {
    throw newInternalError(error instanceof Error ? error.message : String(error), { cause: error })
  }
  if (result.decision !== 'allow') throw forbiddenError(attributes, result.reason)
  return result.reason
}

/** Selectors that cannot be parsed are left out: the handler refuses them after authorization. */
function selectors (context: RequestContext): { labelSelector?: SelectorRequirement[]; fieldSelector?: SelectorRequirement[] } {
  const { info, query } = context
  if (info.kind === 'path' || !['list', 'watch', 'deletecollection'].includes(info.verb)) return {}
  const out: { labelSelector?: SelectorRequirement[]; fieldSelector?: SelectorRequirement[] } = {}
  const [labels, fields] = [query.get('labelSelector'), query.get('fieldSelector')]
  try {
    if (labels) {
      const operators = { '=': 'In', '==': 'In', in: 'In', '!=': 'NotIn', notin: 'NotIn', exists: 'Exists', '!': 'DoesNotExist' } as const
      out.labelSelector = parseLabelSelector(labels).requirements.flatMap(r => {
        const operator = operators[r.operator as keyof typeof operators]
        return operator === undefined ? [] : [{ key: r.key, operator, ...(r.values.length > 0 && { values: r.values }) }]
      })
    }
    if (fields) out.fieldSelector = parseFieldSelector(fields).requirements.map(r => ({ key: r.field, operator: r.operator === '=' ? 'In' as const : 'NotIn' as const, values: [r.value] }))
  } catch {
    return {}
  }
  return out
}
