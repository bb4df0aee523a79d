import { cloneJson } from '../../registry/codec/json-clone.js'
import { asJson, asObject } from '../../registry/meta/object-meta.js'
import { ensureNamespace } from '../../registry/generic/store/create.js'
import { RequestAdmission, requestOptions } from '../admission/request-admission.js'
import { bodyEncoding } from '../negotiation/content-type.js'
import type { RequestContext } from '../request-context.js'
import { respond } from '../responses/respond.js'
import { presentObject } from '../responses/views.js'
import { settleManagedFields } from '../apply/managed-fields-times.js'
import { readBody } from './body.js'
import { decodeBody } from './decode.js'
import { writingOptions } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'
import { checkName, dedupOwnerReferences, writeOptions, writer } from './write.js'

/** PUT of one object or of its status. */
export async function handleUpdate (context: RequestContext, scope: RequestScope): Promise<void> {
  const format = outputFormat(context)
  const body = await readBody(context, scope.limits.bodyBytes)
  const options = writingOptions(context.query, 'UpdateOptions')
  const encoding = bodyEncoding(context.header('content-type'))
  const warn = (text: string): void => { context.warnings.add(text) }
  const object = decodeBody(body, encoding, scope, options.fieldValidation, warn)
  context.audit?.setRequestObject(asJson(object))
  const { namespace, name } = target(context)
  ensureNamespace(scope.resource.namespaced ? namespace : '', object)
  checkName(object, context)
  dedupOwnerReferences(object, warn)
  const by = writer(context, scope, options)
  const admission = RequestAdmission.of(context, scope, requestOptions('UpdateOptions', context, options))
  const result = await scope.store.update(name, {
    ...writeOptions(context, scope, options),
    subresource: scope.subresource === 'status' ? 'status' : '',
    uid: object.metadata.uid,
    transform: async old => {
      const owned = scope.fieldManager.update(old, asObject(cloneJson(asJson(object))), by.manager, by.now)
      if (admission !== undefined) {
        await admission.admit(owned, old)
        dedupOwnerReferences(owned, warn)
      }
      return owned
    },
    settle: settleManagedFields,
    ...(admission && { validateUpdate: (object, old) => admission.validate(object, old) })
  })
  await respond(context, { status: result.created ? 201 : 200, ...presentObject(result.object, presentation(context, scope, format)) })
}
