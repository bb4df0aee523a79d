import { readableMeta } from '../../registry/generic/stored-meta.js'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { isObject, setMember, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject } from '../../registry/meta/object-meta.js'
import { CompiledSchema } from '../../registry/schema/compiled-schema.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { ApplyConflict } from './conflict.js'
import { ApplyError } from './errors.js'
import { FieldManager } from './field-manager.js'
import { FieldSet } from './field-set.js'
import { fieldPath } from './path-element.js'
import { replicasPath, ScaleFieldManager, toParent, toScale } from './scale.js'

// The expectations in testdata/cases.json are what a real kube-apiserver answered; hack/record-apply-cases.mjs writes them.

interface Step {
  readonly apply?: JsonObject
  readonly create?: JsonObject
  readonly put?: JsonObject
  readonly merge?: JsonObject
  readonly json?: ReadonlyArray<{ op: string; path: string; value?: JsonValue }>
  readonly by: string
  readonly to?: 'status' | 'scale'
  readonly version?: string
  readonly force?: boolean
  readonly raw?: boolean
  readonly want: { readonly object: JsonObject; readonly managers: JsonObject } | { readonly error: string; readonly causes?: readonly string[] }
}

interface Crd { spec: { group: string; versions: Array<{ name: string; subresources: { scale?: unknown }; schema: { openAPIV3Schema: StructuralSchema } }> } }

const read = (file: string): unknown => JSON.parse(readFileSync(new URL(`testdata/${file}`, import.meta.url), 'utf8'))
const cases = read('cases.json') as Array<{ name: string; steps: Step[] }>
const { spec: { group, versions } } = read('crd.json') as Crd
const now = '2026-01-02T03:04:05Z'

type Answer = { readonly stored: KubeObject } | Extract<Step['want'], { error: string }>

/** What a server does around the field manager: defaults, and which endpoint writes what. */
class SmallServer {
  #live: KubeObject | undefined
  readonly #scale = new ScaleFieldManager()

  keep (object: KubeObject): void { this.#live = object }

  handle (step: Step): Answer {
    try {
      return { stored: step.to === 'scale' ? this.#writeScale(step) : this.#write(step) }
    } catch (error) {
      if (!(error instanceof ApplyError)) throw error
      const causes = error instanceof ApplyConflict ? error.causes.map(c => `${c.field}: ${c.message}`).sort() : []
      return { error: error.message, ...(causes.length > 0 && { causes }) }
    }
  }

  #write (step: Step): KubeObject {
    const { name, apiVersion, schema } = versionOf(step)
    const live: KubeObject | undefined = this.#live && { ...this.#live, apiVersion }
    const manager = fieldManager(name, step.to === 'status' ? 'status' : '')
    const fresh = (body: JsonObject): JsonObject => ({ apiVersion, kind: 'Thing', ...body, metadata: { name: 'x', ...(body.metadata as JsonObject | undefined) } })
    let object: KubeObject
    if (step.apply !== undefined) {
      object = manager.apply(live, step.raw ? step.apply : fresh(step.apply), decodeURIComponent(step.by), { force: step.force === true, now })
      object = asObject(defaulted(schema, cloneJson(asJson(object))))
      object.metadata = readableMeta(asJson(object).metadata) // as it would be read back
    } else {
      const sent = step.create ?? step.put
      const body = sent !== undefined ? { ...fresh(sent) } : step.merge !== undefined ? mergePatch(asJson(live!), step.merge) as JsonObject : jsonPatch(asJson(live!), step.json!)
      if (step.put !== undefined) body.metadata = { ...live!.metadata, ...(body.metadata as JsonObject) } as unknown as JsonObject
      object = manager.update(step.create === undefined ? live : undefined, asObject(defaulted(schema, cloneJson(body))), decodeURIComponent(step.by), now)
    }
    const sentStatus = object['status']
    const rest: KubeObject = { ...object }
    const status = step.to === 'status' ? sentStatus : live?.['status']
    const kept = step.to === 'status' ? { ...live!, metadata: withManagers(live!.metadata, object.metadata.managedFields) } : rest
    const stored: KubeObject & { status?: unknown } = { ...kept, metadata: { ...kept.metadata, uid: 'u', namespace: 'NS' } }
    if (status === undefined) delete stored.status
    else stored.status = status
    return asObject(asStored(asJson(stored)))
  }

  #writeScale (step: Step): KubeObject {
    const live = this.#live!
    const { apiVersion } = versionOf(step)
    const paths = new Map(versions.map(v => [`${group}/${v.name}`, v.subresources.scale === undefined ? undefined : replicasPath('.spec.replicas')]))
    const spec = live['spec'] as JsonObject
    const managedFields = toScale(live.metadata.managedFields, paths)
    const before = asObject({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: withManagers({ name: 'x', namespace: 'NS', uid: 'u' }, managedFields) as unknown as JsonObject, spec: { replicas: spec.replicas! }, status: { replicas: 0 } })
    const after = step.apply !== undefined
      ? this.#scale.apply(before, { apiVersion: 'autoscaling/v1', kind: 'Scale', ...step.apply, metadata: { name: 'x', namespace: 'NS' } }, step.by, { force: step.force === true, now })
      : this.#scale.update(before, asObject(mergePatch(asJson(before), step.merge!) as JsonObject), step.by, now)
    const replicas = (after['spec'] as JsonObject).replicas ?? 0
    return { ...live, spec: { ...spec, replicas }, metadata: withManagers(live.metadata, toParent(live.metadata.managedFields, after.metadata.managedFields, apiVersion, paths)) }
  }
}

function versionOf (step: Step): { name: string; apiVersion: string; schema: CompiledSchema } {
  const name = step.version ?? 'v1'
  return { name, apiVersion: `${group}/${name}`, schema: new CompiledSchema(versions.find(v => v.name === name)!.schema.openAPIV3Schema) }
}

function fieldManager (version: string, subresource: '' | 'status'): FieldManager {
  const reset = subresource === '' ? FieldSet.of(fieldPath('status')) : FieldSet.of(fieldPath('metadata'), fieldPath('spec'))
  return new FieldManager({
    group,
    kind: 'Thing',
    apiVersion: `${group}/${version}`,
    versions: versions.map(v => ({ apiVersion: `${group}/${v.name}`, schema: v.schema.openAPIV3Schema })),
    convert: (object, apiVersion) => ({ ...object, apiVersion }),
    subresource,
    resetFields: new Map(versions.filter(v => subresource !== '' || v.name === version).map(v => [`${group}/${v.name}`, reset]))
  })
}

/** What comes back from the store: fitted to the storage version's schema. */
function asStored (object: JsonObject): JsonObject {
  const storage = new CompiledSchema(versions[0]!.schema.openAPIV3Schema)
  const copy = cloneJson(object)
  storage.prune(copy)
  return defaulted(storage, copy)
}

function defaulted (schema: CompiledSchema, object: JsonObject): JsonObject {
  schema.applyDefaults(object)
  return object
}

function withManagers<M extends KubeObject['metadata']> (metadata: M, managedFields: M['managedFields']): M {
  const { managedFields: _, ...rest } = metadata
  return (managedFields === undefined ? rest : { ...rest, managedFields }) as M
}

function mergePatch (target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch
  const out: JsonObject = { ...(isObject(target) ? target : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else setMember(out, key, mergePatch(out[key], value))
  }
  return out
}

/** Add, replace and remove of members that are there. */
function jsonPatch (target: JsonObject, operations: NonNullable<Step['json']>): JsonObject {
  const out = cloneJson(target)
  for (const { op, path, value } of operations) {
    const keys = path.slice(1).split('/')
    const last = keys.pop()!
    const at = keys.reduce<JsonObject>((o, key) => o[key] as JsonObject, out)
    if (op === 'remove') delete at[last]
    else at[last] = value!
  }
  return out
}

function outcome (object: KubeObject): Step['want'] {
  const { apiVersion: _a, kind: _k, metadata: { labels, annotations, finalizers, ownerReferences, managedFields = [] }, ...rest } = object
  const managers = managedFields.map(e => [`${e.manager} ${e.operation} ${e.apiVersion!.split('/')[1]}${e.subresource === undefined ? '' : ' ' + e.subresource}${e.time === undefined ? ' untimed' : ''}`, e.fieldsV1!])
  return {
    object: { ...(labels && { labels }), ...(annotations && { annotations }), ...(finalizers && { finalizers }), ...(ownerReferences && { ownerReferences }), ...rest } as unknown as JsonObject,
    managers: Object.fromEntries(managers) as JsonObject
  }
}

for (const { name, steps } of cases) {
  t.test(name, async t => {
    const server = new SmallServer()
    for (const [i, step] of steps.entries()) {
      const got = server.handle(step)
      if ('error' in step.want && !('error' in got) && / is invalid: /.test(step.want.error)) continue // validation's business
      if (!('error' in got)) server.keep(got.stored)
      t.strictSame('error' in got ? got : outcome(got.stored), step.want, `step ${i + 1}: ${JSON.stringify({ ...step, want: undefined })}`)
    }
  })
}
