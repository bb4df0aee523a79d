import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { parseYaml } from '../../registry/codec/yaml.js'
import { ensureNamespace } from '../../registry/generic/store/create.js'
import { decodeObjectMeta, isMetaError } from '../../registry/meta/decode-meta.js'
import { invalid } from '../../registry/meta/field-error.js'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { asJson, asObject, type KubeObject } from '../../registry/meta/object-meta.js'
import { newBadRequest, newConflict, newInternalError, newInvalid, newNotFound, newRequestEntityTooLarge, newStatusError, type StatusError } from '../../registry/meta/status-error.js'
import { RequestAdmission, requestOptions } from '../admission/request-admission.js'
import { settleManagedFields } from '../apply/managed-fields-times.js'
import { patchType, type PatchType } from '../negotiation/content-type.js'
import { applyJsonPatch } from '../patch/json-patch.js'
import { applyMergePatch } from '../patch/merge-patch.js'
import { PatchError, type Patched } from '../patch/patch-error.js'
import type { RequestContext } from '../request-context.js'
import { respond } from '../responses/respond.js'
import { presentObject } from '../responses/views.js'
import { applyFailure } from './apply-failure.js'
import { readBody } from './body.js'
import { DecodeError, decodeValue, warningLines, type Decoded } from './decode.js'
import { writingOptions, type WritingOptions } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'
import { checkName, dedupOwnerReferences, writeOptions, writer } from './write.js'

/** PATCH of one object or of its status: JSON patch, merge patch, apply. */
export async function handlePatch (context: RequestContext, scope: RequestScope): Promise<void> {
  const type = patchType(context.header('content-type'))
  const format = outputFormat(context)
  const body = await readBody(context, scope.limits.bodyBytes)
  const options = writingOptions(context.query, 'PatchOptions', type === 'apply' ? 'apply' : 'other')
  context.audit?.setRequestPatch(body)
  const { name } = target(context)
  const transform = patchTransform(context, scope, { type, body, options })
  const admission = RequestAdmission.of(context, scope, requestOptions('UpdateOptions', context, options))
  const result = await scope.store.update(name, {
    ...writeOptions(context, scope, options),
    subresource: scope.subresource === 'status' ? 'status' : '',
    allowCreate: type === 'apply' && scope.subresource === '',
    storedAsIs: type === 'apply',
    transform: admission === undefined ? transform : live => admitted(admission, live, transform(live), text => { context.warnings.add(text) }),
    settle: settleManagedFields,
    validateCreate: async object => {
      await scope.authorizeCreate(context)
      await admission?.validate(object, undefined)
    },
    ...(admission && { validateUpdate: (object, old) => admission.validate(object, old) })
  })
  await respond(context, { status: result.created ? 201 : 200, ...presentObject(result.object, presentation(context, scope, format)) })
}

async function admitted (admission: RequestAdmission, live: KubeObject | undefined, patched: KubeObject, warn: (text: string) => void): Promise<KubeObject> {
  // An apply that changes nothing returns the live object, which nobody may change.
  const object = patched === live ? asObject(cloneJson(asJson(patched))) : patched
  await admission.admit(object, live)
  dedupOwnerReferences(object, warn)
  return object
}

interface PatchRequest { readonly type: PatchType; readonly body: Buffer; readonly options: WritingOptions }

/** What an update has to do to the live object; run again whenever another writer was faster. */
function patchTransform (context: RequestContext, scope: RequestScope, patch: PatchRequest): (old: KubeObject | undefined) => KubeObject {
  const warn = (text: string): void => { context.warnings.add(text) }
  const by = writer(context, scope, patch.options)
  const { name, namespace } = target(context)
  return live => {
    let object: KubeObject
    if (patch.type === 'apply') {
      object = apply(scope, live, patch, by, warn)
    } else {
      if (live === undefined) throw newNotFound(scope.resource.groupResource, name)
      object = scope.fieldManager.update(live, patched(scope, live, patch, warn), by.manager, by.now)
    }
    if (live === undefined && object.metadata.uid) {
      throw newConflict(scope.resource.groupResource, name, `uid mismatch: the provided object specified uid ${object.metadata.uid}, and no existing object was found`)
    }
    ensureNamespace(scope.resource.namespaced ? namespace : '', object)
    checkName(object, context)
    dedupOwnerReferences(object, warn)
    return object
  }
}

/** The live object with a JSON or merge patch applied, decoded again as if it had been sent whole. @throws StatusError 400, 413, 422 */
function patched (scope: RequestScope, live: KubeObject, { type, body, options }: PatchRequest, warn: (text: string) => void): KubeObject {
  const strict = options.fieldValidation !== 'Ignore'
  let result: Patched
  try {
    result = type === 'json' ? applyJsonPatch(asJson(live), body, { strict }) : applyMergePatch(asJson(live), body, { strict })
  } catch (error) {
    throw error instanceof PatchError ? patchFailure(error) : error
  }
  const source = (): string => result.text()
  const failed = (text: string): StatusError => newInvalid({ group: '', kind: '' }, '', [invalid('patch', source(), text)])
  if (result.rangeError !== undefined) throw failed(result.rangeError)
  let decoded: Decoded
  try {
    decoded = decodeValue(result.value, source, scope, options.fieldValidation)
  } catch (error) {
    throw error instanceof DecodeError ? failed(error.message) : error
  }
  const findings = [...result.strictErrors, ...decoded.strict]
  if (findings.length > 0 && options.fieldValidation === 'Strict') {
    throw failed(`strict decoding error: ${findings.join(', ')}`)
  }
  if (strict) for (const text of findings) for (const line of warningLines(text)) warn(line)
  if (!decoded.object.apiVersion) throw newInternalError("Object 'apiVersion' is missing in 'object has no apiVersion field'")
  return decoded.object
}

export function patchFailure (error: PatchError): StatusError {
  switch (error.kind) {
    case 'decode': return newBadRequest(error.message)
    case 'tooLarge': return newRequestEntityTooLarge(error.message)
    default: return newStatusError({ code: 422, reason: 'Invalid', message: 'the server rejected our request due to an error in our request', details: {} }, { cause: error })
  }
}

/** Server-side apply of a YAML or JSON configuration. @throws StatusError 400, 409 */
function apply (scope: RequestScope, live: KubeObject | undefined, { body, options }: PatchRequest, by: { manager: string; now: string }, warn: (text: string) => void): KubeObject {
  const { config, duplicates } = parseConfig(body)
  let object: KubeObject
  try {
    object = scope.fieldManager.apply(live, config, by.manager, { force: options.force, now: by.now })
    if (!scope.version.storage) checkDeletionFields(config)
    // Defaults are nobody's: they are filled in after ownership has been settled.
    if (object !== live) scope.version.compiled.setDefaults(asJson(object))
  } catch (error) {
    throw applyFailure(error)
  }
  if (options.fieldValidation === 'Strict' && duplicates.length > 0) throw newBadRequest(`error strict decoding YAML: error converting YAML to JSON: ${duplicates.join(', ')}`)
  if (options.fieldValidation === 'Warn') for (const text of duplicates) for (const line of warningLines(text)) warn(line)
  return object
}

/**
 * For the schema these are any scalar and any number; what they must be is found out when a conversion decodes the metadata, and only then.
 * @throws StatusError 400, where kube-apiserver says 500
 */
function checkDeletionFields ({ metadata }: JsonObject): void {
  const { deletionTimestamp = null, deletionGracePeriodSeconds = null } = isObject(metadata) ? metadata : {}
  try {
    decodeObjectMeta({ deletionTimestamp, deletionGracePeriodSeconds })
  } catch (error) {
    throw isMetaError(error) ? newBadRequest(error.message) : error
  }
}

export function parseConfig (body: Buffer): { config: JsonObject; duplicates: readonly string[] } {
  let parsed: { value: JsonValue; duplicates: readonly string[] }
  try {
    parsed = parseYaml(body)
  } catch (error) {
    throw newBadRequest(`error decoding YAML: error converting YAML to JSON: ${(error as Error).message}`)
  }
  if (parsed.value === null) return { config: {}, duplicates: parsed.duplicates }
  if (!isObject(parsed.value)) {
    const type = Array.isArray(parsed.value) ? 'array' : typeof parsed.value === 'boolean' ? 'bool' : typeof parsed.value === 'bigint' ? 'number' : typeof parsed.value
    throw newBadRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${type} into Go value of type map[string]interface {}`)
  }
  return { config: parsed.value, duplicates: parsed.duplicates }
}
