import { asJson } from '../../registry/meta/object-meta.js'
import { wipeSystemFields } from '../../registry/meta/system-fields.js'
import { ensureNamespace } from '../../registry/generic/store/create.js'
import { RequestAdmission, requestOptions } from '../admission/request-admission.js'
import { bodyEncoding } from '../negotiation/content-type.js'
import type { RequestContext } from '../request-context.js'
import { respond } from '../responses/respond.js'
import { presentObject } from '../responses/views.js'
import { readBody } from './body.js'
import { decodeBody } from './decode.js'
import { writingOptions } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'
import { dedupOwnerReferences, writeOptions, writer } from './write.js'

/** POST to a collection. */
export async function handleCreate (context: RequestContext, scope: RequestScope): Promise<void> {
  const format = outputFormat(context)
  const encoding = bodyEncoding(context.header('content-type'))
  const body = await readBody(context, scope.limits.bodyBytes)
  const options = writingOptions(context.query, 'CreateOptions')
  const warn = (text: string): void => { context.warnings.add(text) }
  const object = decodeBody(body, encoding, scope, options.fieldValidation, warn)
  context.audit?.setRequestObject(asJson(object))
  wipeSystemFields(object.metadata)
  ensureNamespace(scope.resource.namespaced ? target(context).namespace : '', object)
  dedupOwnerReferences(object, warn)
  const by = writer(context, scope, options)
  const owned = scope.fieldManager.update(undefined, object, by.manager, by.now)
  const admission = RequestAdmission.of(context, scope, requestOptions('CreateOptions', context, options))
  if (admission !== undefined) {
    await admission.admit(owned, undefined)
    dedupOwnerReferences(owned, warn)
  }
  const created = await scope.store.create(owned, {
    ...writeOptions(context, scope, options),
    ...(admission && { validate: object => admission.validate(object, undefined) })
  })
  await respond(context, { status: 201, ...presentObject(created, presentation(context, scope, format)) })
}
