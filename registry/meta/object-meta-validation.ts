import { forbidden, invalid, required, tooLong, type FieldError } from './field-error.js'
import { goQuote } from './go-format.js'
import { isDns1123Label, isLabelValue, isQualifiedName } from './names.js'
import type { ManagedFieldsEntry, ObjectMeta, OwnerReference } from './object-meta.js'
import type { JsonValue } from '../codec/value.js'

/**
 * Validation of ObjectMeta with upstream's texts.
 * Source: `k8s.io/apimachinery/pkg/api/validation/objectmeta.go`, `pkg/apis/meta/v1/validation/validation.go`.
 */

export type NameRule = (value: string, options: { prefix: boolean }) => string[]

const annotationsLimit = 256 * 1024
const immutable = 'field is immutable'

/** Everything that must hold for the metadata of any object. */
export function validateObjectMeta (meta: ObjectMeta, options: { namespaced: boolean; nameRule: NameRule }): FieldError[] {
  const errors: FieldError[] = []
  if (meta.generateName) for (const m of options.nameRule(meta.generateName, { prefix: true })) errors.push(invalid('metadata.generateName', meta.generateName, m))
  if (!meta.name) errors.push(required('metadata.name', 'name or generateName is required'))
  else for (const m of options.nameRule(meta.name, { prefix: false })) errors.push(invalid('metadata.name', meta.name, m))
  if (options.namespaced) {
    if (!meta.namespace) errors.push(required('metadata.namespace', ''))
    else for (const m of isDns1123Label(meta.namespace)) errors.push(invalid('metadata.namespace', meta.namespace, m))
  } else if (meta.namespace) {
    errors.push(forbidden('metadata.namespace', 'not allowed on this type'))
  }
  if ((meta.generation ?? 0) < 0) errors.push(invalid('metadata.generation', meta.generation!, 'must be greater than or equal to 0'))
  errors.push(
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...validateOwnerReferences(meta.ownerReferences, 'metadata.ownerReferences'),
    ...validateFinalizers(meta.finalizers, 'metadata.finalizers'),
    ...validateManagedFields(meta.managedFields, 'metadata.managedFields')
  )
  return errors
}

/** What must hold between an object's new and old metadata. */
export function validateObjectMetaUpdate (meta: ObjectMeta, old: ObjectMeta): FieldError[] {
  const errors: FieldError[] = []
  if (old.deletionTimestamp !== undefined) {
    const extra = addedTo(old.finalizers, meta.finalizers)
    if (extra.length > 0) errors.push(forbidden('metadata.finalizers', `no new finalizers can be added if the object is being deleted, found new finalizers []string{${extra.map(goQuote).join(', ')}}`))
  }
  if (!meta.resourceVersion) errors.push(invalid('metadata.resourceVersion', '', 'must be specified for an update'))
  if ((meta.generation ?? 0) < (old.generation ?? 0)) errors.push(invalid('metadata.generation', meta.generation ?? 0, 'must not be decremented'))
  const unchanged = (field: keyof ObjectMeta, absent: JsonValue): void => {
    const [now, then] = [meta[field] ?? absent, old[field] ?? absent] as [JsonValue, JsonValue]
    if (now !== then) errors.push(invalid(`metadata.${field}`, now, immutable))
  }
  unchanged('name', '')
  unchanged('namespace', '')
  unchanged('uid', '')
  unchanged('creationTimestamp', null)
  unchanged('deletionTimestamp', null)
  unchanged('deletionGracePeriodSeconds', null)
  errors.push(
    ...validateLabels(meta.labels, 'metadata.labels'),
    ...validateAnnotations(meta.annotations, 'metadata.annotations'),
    ...validateOwnerReferences(meta.ownerReferences, 'metadata.ownerReferences'),
    ...validateManagedFields(meta.managedFields, 'metadata.managedFields')
  )
  return errors
}

export function validateLabels (labels: Record<string, string> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const key in labels) {
    for (const m of isQualifiedName(key)) errors.push(invalid(path, key, m))
    for (const m of isLabelValue(labels[key]!)) errors.push(invalid(path, labels[key]!, m))
  }
  return errors
}

export function validateAnnotations (annotations: Record<string, string> | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  let size = 0
  for (const key in annotations) {
    for (const m of isQualifiedName(key.toLowerCase())) errors.push(invalid(path, key, m))
    size += Buffer.byteLength(key) + Buffer.byteLength(annotations[key]!)
  }
  if (size > annotationsLimit) errors.push(tooLong(path, annotationsLimit))
  return errors
}

function validateOwnerReferences (references: readonly OwnerReference[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  let controller: string | undefined
  for (const ref of references ?? []) {
    const slash = ref.apiVersion.indexOf('/')
    const [group, version] = slash < 0 ? ['', ref.apiVersion] : [ref.apiVersion.slice(0, slash), ref.apiVersion.slice(slash + 1)]
    if (version === '') errors.push(invalid(`${path}.apiVersion`, ref.apiVersion, 'version must not be empty'))
    if (ref.kind === '') errors.push(invalid(`${path}.kind`, ref.kind, 'must not be empty'))
    if (ref.name === '') errors.push(invalid(`${path}.name`, ref.name, 'must not be empty'))
    if (ref.uid === '') errors.push(invalid(`${path}.uid`, ref.uid, 'must not be empty'))
    if (group === '' && version === 'v1' && ref.kind === 'Event') errors.push(invalid(path, ref as unknown as JsonValue, '/v1, Kind=Event is disallowed from being an owner'))
    if (ref.controller !== true) continue
    const name = `${ref.kind}/${ref.name}`
    if (controller === undefined) controller = name
    else errors.push(invalid(path, references as unknown as JsonValue, `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`))
  }
  return errors
}

/** Each new one once, sorted. A client may send very many. */
function addedTo (old: readonly string[] | undefined, finalizers: readonly string[] | undefined): string[] {
  const present = new Set(old)
  return [...new Set(finalizers)].filter(f => !present.has(f)).sort()
}

function validateFinalizers (finalizers: readonly string[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const f of finalizers ?? []) for (const m of isQualifiedName(f)) errors.push(invalid(path, f, m))
  if (finalizers?.includes('orphan') && finalizers.includes('foregroundDeletion')) errors.push(invalid(path, [...finalizers], 'finalizer orphan and foregroundDeletion cannot be both set'))
  return errors
}

function validateManagedFields (entries: readonly ManagedFieldsEntry[] | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  entries?.forEach((e, i) => {
    const at = `${path}[${i}]`
    if (e.operation !== 'Apply' && e.operation !== 'Update') errors.push(invalid(`${at}.operation`, e.operation ?? '', 'must be `Apply` or `Update`'))
    if (e.fieldsType !== undefined && e.fieldsType !== 'FieldsV1') errors.push(invalid(`${at}.fieldsType`, e.fieldsType, 'must be `FieldsV1`'))
    errors.push(...validateFieldManager(e.manager ?? '', `${at}.manager`))
    if (Buffer.byteLength(e.subresource ?? '') > 256) errors.push(tooLong(`${at}.subresource`, 256))
  })
  return errors
}

/** What nearly every manager is named in; all of it is letters, marks, numbers, punctuation, symbols and the blank. */
const printableAscii = /^[ -~]*$/

/** At most 128 bytes, all printable. */
export function validateFieldManager (manager: string, path: string): FieldError[] {
  if (manager.length <= 128 && printableAscii.test(manager)) return []
  const errors: FieldError[] = []
  if (Buffer.byteLength(manager) > 128) errors.push(tooLong(path, 128))
  let at = 0
  for (const ch of manager) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(ch)) errors.push(invalid(path, manager, `invalid character U+${ch.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')} (at position ${at})`))
    at += Buffer.byteLength(ch)
  }
  return errors
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** The warnings that adding these finalizers to a custom resource earns. */
export function finalizerWarnings (finalizers: readonly string[] | undefined, old: readonly string[] | undefined): string[] {
  const out: string[] = []
  for (const f of addedTo(old, finalizers)) {
    for (const m of isQualifiedName(f)) out.push(`metadata.finalizers: ${goQuote(f)}: ${m}`)
    if (f.includes('/') || standardFinalizers.has(f)) continue
    out.push(`metadata.finalizers: ${goQuote(f)}: prefer a domain-qualified finalizer name${f.includes('.') ? ' including a path (/)' : ''} to avoid accidental conflicts with other finalizer writers`)
  }
  return out
}
