import { goQuote } from '../../registry/meta/go-format.js'
import { forbidden, notSupported, required, type FieldError } from '../../registry/meta/field-error.js'
import { parseFieldSelector, requiredValue, type FieldSelector } from '../../registry/meta/field-selector.js'
import { parseLabelSelector, SelectorError, type LabelSelector } from '../../registry/meta/label-selector.js'
import { validateFieldManager } from '../../registry/meta/object-meta-validation.js'
import { newBadRequest, newInvalid } from '../../registry/meta/status-error.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import { truthy } from '../request-info.js'
import type { RequestScope } from './scope.js'

/** Query parameters, decoded and validated as `metav1`'s options are. Unknown ones are ignored. */

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

export interface WritingOptions {
  readonly dryRun: boolean
  /** As sent; empty when absent. */
  readonly fieldManager: string
  readonly fieldValidation: FieldValidation
  readonly force: boolean
}

/** @throws StatusError 422 naming every wrong parameter */
export function writingOptions (query: URLSearchParams, kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions', patch?: 'apply' | 'other'): WritingOptions {
  const fieldManager = query.get('fieldManager') ?? ''
  const errors: FieldError[] = []
  if (patch === 'apply' && fieldManager === '') errors.push(required('fieldManager', 'is required for apply patch'))
  if (patch === 'other' && query.has('force')) errors.push(forbidden('force', 'may not be specified for non-apply patch'))
  errors.push(...validateFieldManager(fieldManager, 'fieldManager'))
  const dryRun = query.getAll('dryRun')
  if (dryRun.some(d => d !== 'All')) errors.push(notSupported('dryRun', dryRun, ['All']))
  const fieldValidation = query.get('fieldValidation') ?? ''
  if (!['', 'Ignore', 'Strict', 'Warn'].includes(fieldValidation)) errors.push(notSupported('fieldValidation', fieldValidation, ['', 'Ignore', 'Strict', 'Warn']))
  if (errors.length > 0) throw newInvalid({ group: 'meta.k8s.io', kind }, '', errors)
  return { dryRun: dryRun.length > 0, fieldManager, fieldValidation: (fieldValidation || 'Warn') as FieldValidation, force: truthy(query.get('force')) }
}

/** The manager of a write that names none: the User-Agent up to the first slash, printable characters, at most 128 bytes. */
export function managerName (fieldManager: string, userAgent: string | undefined): string {
  if (fieldManager !== '') return fieldManager
  const product = (userAgent ?? '').split('/', 1)[0]!
  if (/^[ -~]*$/.test(product)) return product.slice(0, 128)
  let out = ''
  for (const ch of product) {
    if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u.test(ch)) continue
    if (Buffer.byteLength(out) + Buffer.byteLength(ch) > 128) break
    out += ch
  }
  return out
}

export interface ListOptions {
  readonly labelSelector: LabelSelector | undefined
  readonly fieldSelector: FieldSelector | undefined
  readonly watch: boolean
  readonly allowWatchBookmarks: boolean
  readonly resourceVersion: string
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  /** 0: none given. */
  readonly timeoutSeconds: number
  readonly limit: number
  readonly continueToken: string
  readonly sendInitialEvents: boolean | undefined
}

/**
 * Decodes and validates the options of list, watch and deletecollection.
 * @throws StatusError 400 for what cannot be parsed, 422 for combinations that make no sense
 */
export function listOptions (query: URLSearchParams, scope: RequestScope, watch: boolean): ListOptions {
  const labelSelector = query.get('labelSelector') ? parsed(() => parseLabelSelector(query.get('labelSelector')!)) : undefined
  const fieldSelector = query.get('fieldSelector') ? parsed(() => parseFieldSelector(query.get('fieldSelector')!)) : undefined
  let sendInitialEvents = query.has('sendInitialEvents') ? truthy(query.get('sendInitialEvents')) : undefined
  let resourceVersionMatch = query.get('resourceVersionMatch') ?? ''
  const resourceVersion = query.get('resourceVersion') ?? ''
  const timeoutSeconds = integer(query, 'timeoutSeconds')
  const limit = integer(query, 'limit')
  const continueToken = query.get('continue') ?? ''
  if (watch && sendInitialEvents === undefined && resourceVersionMatch === '' && (resourceVersion === '' || resourceVersion === '0')) {
    sendInitialEvents = true
    resourceVersionMatch = 'NotOlderThan'
  }
  const errors = watch
    ? validateWatch(resourceVersionMatch, sendInitialEvents, continueToken)
    : validateList(resourceVersion, resourceVersionMatch, sendInitialEvents, continueToken)
  if (errors.length > 0) throw newInvalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors)
  checkFields(fieldSelector, scope)
  if (resourceVersion !== '' && !/^[0-9]+$/.test(resourceVersion)) {
    throw newBadRequest(`invalid resource version: resourceVersion: Invalid value: ${goQuote(resourceVersion)}: strconv.ParseUint: parsing ${goQuote(resourceVersion)}: invalid syntax`)
  }
  return {
    labelSelector, fieldSelector, watch, resourceVersion, timeoutSeconds, continueToken, sendInitialEvents,
    resourceVersionMatch: resourceVersionMatch as ListOptions['resourceVersionMatch'],
    limit: Math.max(0, limit),
    allowWatchBookmarks: truthy(query.get('allowWatchBookmarks'))
  }
}

/** Label and field selectors as one predicate; undefined when there are none. `metadata.name=` of a named scope is left to the caller. */
export function selection (options: ListOptions, scope: RequestScope): ((object: ServedObject) => boolean) | undefined {
  const { labelSelector, fieldSelector } = options
  const byLabel = labelSelector && labelSelector.requirements.length > 0 ? labelSelector : undefined
  const byField = fieldSelector && fieldSelector.requirements.length > 0 ? fieldSelector : undefined
  if (byLabel === undefined && byField === undefined) return undefined
  return object => (byLabel?.matches(object.labels) ?? true) && (byField?.matches(f => object.field(scope.version, f)) ?? true)
}

/** The one name that a field selector leaves, if it does. */
export const selectedName = (options: ListOptions): string | undefined =>
  options.fieldSelector && requiredValue(options.fieldSelector, 'metadata.name')

/** @throws StatusError 400 in Go's words */
export function integer (query: URLSearchParams, name: string): number {
  const text = query.get(name)
  if (text === null || text === '') return 0
  if (!/^[+-]?[0-9]+$/.test(text)) throw newBadRequest(`strconv.ParseInt: parsing ${goQuote(text)}: invalid syntax`)
  const value = Number(text)
  if (!(Math.abs(value) < 2 ** 63)) throw newBadRequest(`strconv.ParseInt: parsing ${goQuote(text)}: value out of range`)
  return value
}

/** The `resourceVersion` of a get. @throws StatusError 400 */
export function getResourceVersion (query: URLSearchParams): string {
  const rv = query.get('resourceVersion') ?? ''
  if (rv !== '' && !/^[0-9]+$/.test(rv)) throw newBadRequest(`invalid resource version: resourceVersion: Invalid value: ${goQuote(rv)}: strconv.ParseUint: parsing ${goQuote(rv)}: invalid syntax`)
  return rv
}

function parsed<T> (parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    throw error instanceof SelectorError ? newBadRequest(error.message) : error
  }
}

function checkFields (selector: FieldSelector | undefined, scope: RequestScope): void {
  for (const { field } of selector?.requirements ?? []) {
    const known = field === 'metadata.name' || (field === 'metadata.namespace' && scope.resource.namespaced) || scope.version.selectableFields.includes(field)
    if (!known) throw newBadRequest(`field label not supported: ${field}`)
  }
}

const matches = ['Exact', 'NotOlderThan', '']

function validateList (resourceVersion: string, match: string, sendInitialEvents: boolean | undefined, continueToken: string): FieldError[] {
  const errors: FieldError[] = []
  if (match !== '') {
    if (resourceVersion === '') errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (continueToken !== '') errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'))
    if (!matches.includes(match)) errors.push(notSupported('resourceVersionMatch', match, matches))
    if (match === 'Exact' && resourceVersion === '0') errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (sendInitialEvents !== undefined) errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  return errors
}

function validateWatch (match: string, sendInitialEvents: boolean | undefined, continueToken: string): FieldError[] {
  const errors: FieldError[] = []
  if (sendInitialEvents !== undefined) {
    if (match !== 'NotOlderThan') errors.push(forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'))
  }
  if (match !== '') {
    if (sendInitialEvents === undefined) errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'))
    if (match !== 'NotOlderThan') errors.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']))
    if (continueToken !== '') errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'))
  }
  return errors
}
