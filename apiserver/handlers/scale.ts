import { printJson } from '../../registry/codec/json-print.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { parseYaml } from '../../registry/codec/yaml.js'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { ensureNamespace } from '../../registry/generic/store/create.js'
import type { ScaleSubresource } from '../../registry/generic/resource-definition.js'
import { decodeObjectMeta } from '../../registry/meta/decode-meta.js'
import { invalid } from '../../registry/meta/field-error.js'
import { asJson, asObject, type KubeObject } from '../../registry/meta/object-meta.js'
import { newBadRequest, newInternalError, newInvalid } from '../../registry/meta/status-error.js'
import { RequestAdmission, requestOptions } from '../admission/request-admission.js'
import { settleManagedFields } from '../apply/managed-fields-times.js'
import { replicasPath, ScaleFieldManager, toParent, toScale, type ReplicasPaths } from '../apply/scale.js'
import { bodyEncoding, patchType } from '../negotiation/content-type.js'
import { applyJsonPatch } from '../patch/json-patch.js'
import { applyMergePatch } from '../patch/merge-patch.js'
import { PatchError, type Patched } from '../patch/patch-error.js'
import type { RequestContext } from '../request-context.js'
import { respond, type Answer } from '../responses/respond.js'
import { presentScale } from '../responses/scale-view.js'
import { applyFailure } from './apply-failure.js'
import { readBody } from './body.js'
import { getResourceVersion, writingOptions } from './options.js'
import { parseConfig, patchFailure } from './patch.js'
import { scaleOf, setReplicas, unsetReplicas, type Scale } from './scale-object.js'
import { outputFormat, target, type RequestScope } from './scope.js'
import { checkName, writeOptions, writer } from './write.js'

const fieldManager = new ScaleFieldManager()

/** GET of `/scale`. */
export async function handleGetScale (context: RequestContext, scope: RequestScope): Promise<void> {
  const { namespace, name } = target(context)
  const format = outputFormat(context)
  const object = await scope.store.get(namespace, name, getResourceVersion(context.query))
  const paths = pathsOf(scope)
  const { scale, found } = scaleOf(object.object(scope.version), paths)
  if (!found) throw newInternalError(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} does not exist`)
  await respond(context, { status: 200, ...presentScale(scale, format, context.query) })
}

/** PUT of `/scale`. Any body that is no Scale gets upstream's one text. */
export async function handleUpdateScale (context: RequestContext, scope: RequestScope): Promise<void> {
  const body = await readBody(context, scope.limits.bodyBytes)
  const options = writingOptions(context.query, 'UpdateOptions')
  const encoding = bodyEncoding(context.header('content-type'))
  let scale: Decoded
  try {
    scale = decodeScale(encoding === 'json' ? parseJson(body).value : parseYaml(body).value)
  } catch {
    throw newBadRequest('no kind is registered for the type v1.Scale in scheme "pkg/runtime/scheme.go:111"')
  }
  ensureNamespace(scope.resource.namespaced ? target(context).namespace : '', scale.object)
  checkName(scale.object, context)
  const by = writer(context, scope, options)
  const { uid } = scale.object.metadata
  await write(context, scope, options, uid, live => fieldManager.update(live, asObject(cloneJson(asJson(scale.object))), by.manager, by.now))
}

/** PATCH of `/scale`: JSON patch, merge patch, apply. */
export async function handlePatchScale (context: RequestContext, scope: RequestScope): Promise<void> {
  const type = patchType(context.header('content-type'))
  const body = await readBody(context, scope.limits.bodyBytes)
  const options = writingOptions(context.query, 'PatchOptions', type === 'apply' ? 'apply' : 'other')
  context.audit?.setRequestPatch(body)
  const by = writer(context, scope, options)
  const strict = options.fieldValidation !== 'Ignore'
  await write(context, scope, options, undefined, live => {
    if (type === 'apply') {
      try {
        return fieldManager.apply(live, parseConfig(body).config, by.manager, { force: options.force, now: by.now })
      } catch (error) {
        throw applyFailure(error)
      }
    }
    let result: Patched
    try {
      result = type === 'json' ? applyJsonPatch(asJson(live), body, { strict }) : applyMergePatch(asJson(live), body, { strict })
    } catch (error) {
      throw error instanceof PatchError ? patchFailure(error) : error
    }
    let scale: Decoded
    try {
      scale = decodeScale(result.value)
    } catch (error) {
      throw newInvalid({ group: '', kind: '' }, '', [invalid('patch', result.text(), (error as Error).message)])
    }
    const patched = fieldManager.update(live, scale.object, by.manager, by.now)
    checkName(patched, context)
    return patched
  })
}

function pathsOf (scope: RequestScope): ScaleSubresource {
  return scope.version.subresources.scale!
}

/** Per version of the kind, where its replicas are. */
const replicasPaths = (scope: RequestScope): ReplicasPaths =>
  new Map(scope.resource.versions.map(v => [v.apiVersion, v.subresources.scale && replicasPath(v.subresources.scale.specReplicasPath)]))

/** Writes the parent through its Scale. @param transform gets the live Scale with its own view of managedFields */
async function write (context: RequestContext, scope: RequestScope, options: ReturnType<typeof writingOptions>, uid: string | undefined, transform: (live: KubeObject) => KubeObject): Promise<void> {
  const format = outputFormat(context)
  const paths = pathsOf(scope)
  const byVersion = replicasPaths(scope)
  const admission = RequestAdmission.of(context, scope, requestOptions('UpdateOptions', context, options))
  const asScale = (parent: KubeObject): KubeObject => scaleOf(parent, paths).scale as unknown as KubeObject
  const result = await scope.store.update(target(context).name, {
    ...writeOptions(context, scope, options),
    subresource: '',
    uid,
    transform: async old => {
      const parent = old!
      const { scale, found } = scaleOf(parent, paths)
      if (!found) scale.spec.replicas = unsetReplicas
      const owners = toScale(parent.metadata.managedFields, byVersion)
      if (owners !== undefined) scale.metadata.managedFields = owners
      const written = transform(scale as unknown as KubeObject)
      await admission?.admit(written, asScale(parent))
      const replicas = (written['spec'] as Scale['spec'] | undefined)?.replicas ?? 0
      if (replicas === unsetReplicas) throw newBadRequest(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} cannot be empty`)
      setReplicas(parent, paths.specReplicasPath, replicas)
      if (written.metadata.resourceVersion) parent.metadata.resourceVersion = written.metadata.resourceVersion
      const entries = toParent(parent.metadata.managedFields, written.metadata.managedFields, scope.version.apiVersion, byVersion)
      if (entries === undefined) delete parent.metadata.managedFields
      else parent.metadata.managedFields = entries
      return parent
    },
    settle: settleManagedFields,
    ...(admission && { validateUpdate: (object, old) => admission.validate(asScale(object), asScale(old)) })
  })
  const { scale } = scaleOf(result.object.object(scope.version), paths)
  const answer: Pick<Answer, 'contentType' | 'body'> = presentScale(scale, format, context.query)
  await respond(context, { status: 200, ...answer })
}

interface Decoded { readonly object: KubeObject }

/** Reads an `autoscaling/v1` Scale. @throws Error in the words of Go's decoder */
function decodeScale (value: JsonValue): Decoded {
  if (!isObject(value)) throw new Error(`json: cannot unmarshal ${Array.isArray(value) ? 'array' : typeof value} into Go value of type v1.Scale`)
  if ((value['kind'] ?? 'Scale') !== 'Scale' || (value['apiVersion'] ?? 'autoscaling/v1') !== 'autoscaling/v1') throw new Error(`no kind ${printJson(value['kind'] ?? '')} is registered for version ${printJson(value['apiVersion'] ?? '')} in scheme`)
  const spec = struct(value, 'spec', 'v1.ScaleSpec')
  const status = struct(value, 'status', 'v1.ScaleStatus')
  const replicas = int32(spec['replicas'], 'ScaleSpec.spec.replicas')
  const statusReplicas = int32(status['replicas'], 'ScaleStatus.status.replicas')
  const selector = status['selector']
  if (selector !== undefined && selector !== null && typeof selector !== 'string') throw new Error('json: cannot unmarshal number into Go struct field ScaleStatus.status.selector of type string')
  const { meta } = decodeObjectMeta(value['metadata'] ?? null)
  const object = {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: meta,
    spec: { ...(replicas !== 0 && { replicas }) },
    status: { replicas: statusReplicas, ...(selector && { selector }) }
  }
  return { object: object as unknown as KubeObject }
}

function struct (value: JsonObject, name: string, goType: string): JsonObject {
  const v = value[name] ?? {}
  if (!isObject(v)) throw new Error(`json: cannot unmarshal ${Array.isArray(v) ? 'array' : typeof v} into Go struct field Scale.${name} of type ${goType}`)
  return v
}

function int32 (v: JsonValue | undefined, field: string): number {
  if (v === undefined || v === null) return 0
  if (typeof v === 'number' && Number.isInteger(v) && v >= -2147483648 && v <= 2147483647) return v
  const type = typeof v === 'number' || typeof v === 'bigint' ? `number ${printJson(v)}` : typeof v === 'boolean' ? 'bool' : Array.isArray(v) ? 'array' : typeof v
  throw new Error(`json: cannot unmarshal ${type} into Go struct field ${field} of type int32`)
}

