import {
  fewerItems, fewerProperties, forbiddenProperty, longerThan, missing, moreItems, moreProperties, notInEnum, pathless, repeated, shorterThan,
  unmatched, wrongType, Findings, type Finding
} from './findings.js'
import { goQuote } from '../meta/go-format.js'
import { equalJson } from '../codec/json-equal.js'
import { breaksListType } from './list-type.js'
import { checkNumber, isInt64, isJsonInteger } from './number-rules.js'
import type { CorrelatedObject } from './ratcheting.js'
import type { SchemaNode } from './schema-node.js'
import type { JsonObject, JsonValue } from '../codec/value.js'

/**
 * Validates a value and everything below it.
 * @param path as kube-openapi writes it: empty at the root, `.key` for additional properties there
 * @param findings receives what is wrong
 * @param correlated the value with the one it replaces: what is wrong but unchanged is then tolerated
 * @returns the number of passed checks as kube-openapi counts them: it decides which alternative of an anyOf is reported
 * Source: `kube-openapi/pkg/validation/validate`; its oddities (a list passes any string format, for one) are kept.
 */
export function validateValue (node: SchemaNode, value: JsonValue, path: string, findings: Findings, correlated?: CorrelatedObject): number {
  const before = findings.size
  const matches = value === null ? checkNull(node, path, findings) : checkValue(node, value, path, findings, correlated)
  if (findings.size > before && correlated?.isUnchanged()) findings.cut(before)
  return matches
}

function checkNull (node: SchemaNode, path: string, findings: Findings): number {
  let matches = 1
  if (node.types.length > 0 && !node.types.includes('null') && !node.nullable) {
    findings.push(wrongType(path, node.types.join(','), 'null'))
    matches = 0
  }
  if (node.enum !== undefined) findings.push(notInEnum(path, null, node.enum))
  return matches
}

function checkValue (node: SchemaNode, value: NonNullable<JsonValue>, path: string, findings: Findings, correlated: CorrelatedObject | undefined): number {
  let matches = 4 // the value itself, the junctors (which count twice), the enum
  if (node.types.length > 0 || node.format !== '') matches += 1 + checkType(node, value, path, findings)
  if (node.hasJunctors) matches += checkJunctors(node, value, path, findings)
  switch (typeof value) {
    case 'string':
      matches += 1 + checkString(node, value, path, findings)
      break
    case 'number':
    case 'bigint':
      matches += 2
      if (node.hasNumberRules) checkNumber(node, value, path, findings)
      break
    case 'object':
      if (Array.isArray(value)) matches += 2 + checkItems(node, value, path, findings, correlated)
  }
  if (node.enum !== undefined && !isInEnum(value, node.enum)) findings.push(notInEnum(path, value, node.enum))
  if (typeof value === 'object' && !Array.isArray(value)) matches += 1 + checkObject(node, value, path, findings, correlated)
  return matches
}

/** @returns 1 if the type is right, 0 if not */
function checkType (node: SchemaNode, value: NonNullable<JsonValue>, path: string, findings: Findings): 0 | 1 {
  const { types, format } = node
  const type = typeOf(value)
  if (types.includes(type)) return 1
  const numeric = type === 'integer'
    ? types.includes('number')
    : type === 'number' && types.includes('integer') && isJsonInteger(value as number)
  if (numeric) return 1
  if (format !== '') {
    if (type !== 'string' && type !== 'array') {
      findings.push(wrongType(path, format, type === 'integer' ? 'int64' : type === 'number' ? 'float64' : ''))
      return 0
    }
    if (!types.includes('number') && !types.includes('integer')) return 1
  }
  findings.push(wrongType(path, types.join(','), type))
  return 0
}

function typeOf (value: NonNullable<JsonValue>): string {
  switch (typeof value) {
    case 'object': return Array.isArray(value) ? 'array' : 'object'
    case 'bigint': return 'integer'
    case 'number': return isInt64(value) ? 'integer' : 'number'
    default: return typeof value
  }
}

/** @returns 1 if a format was checked */
function checkString (node: SchemaNode, value: string, path: string, findings: Findings): 0 | 1 {
  const { maxLength, minLength } = node
  if (maxLength !== undefined && value.length > maxLength && runeCount(value) > maxLength) {
    findings.push(longerThan(path, maxLength))
  } else if (minLength !== undefined && (value.length < minLength || (value.length < 2 * minLength && runeCount(value) < minLength))) {
    findings.push(shorterThan(path, minLength, value))
  } else if (node.hasPattern) {
    const { pattern } = node
    if ('error' in pattern) {
      findings.push(unmatched(path, `${node.schema.pattern}, but pattern is invalid: ${pattern.error}`, value))
    } else if (!pattern.test(value)) {
      findings.push(unmatched(path, node.schema.pattern!, value))
    }
  }
  if (node.format === '') return 0
  const { formatCheck } = node
  if (formatCheck === undefined) return 0
  if (!formatCheck(value)) findings.push(wrongType(path, node.format, value))
  return 1
}

/** Characters as Go counts them; only surrogate pairs make a difference. */
function runeCount (text: string): number {
  let n = 0
  for (const _ of text) n++ // eslint-disable-line no-unused-vars
  return n
}

function checkItems (node: SchemaNode, list: readonly JsonValue[], path: string, findings: Findings, correlated: CorrelatedObject | undefined): number {
  const { items, minItems, maxItems, uniqueItems } = node
  let matches = 0
  if (items !== undefined) {
    for (let i = 0; i < list.length; i++) matches += validateValue(items, list[i]!, `${path}[${i}]`, findings, correlated?.index(i))
  }
  if (minItems !== undefined && list.length < minItems) findings.push(fewerItems(path, minItems, list.length))
  if (node.listType !== undefined && breaksListType(node, list)) findings.breaksListType = true
  if (maxItems !== undefined && list.length > maxItems) findings.push(moreItems(path, maxItems, list.length))
  if (uniqueItems && list.some((v, i) => list.slice(0, i).some(u => equalJson(u, v)))) findings.push(repeated(path))
  return matches
}

function checkObject (node: SchemaNode, object: JsonObject, path: string, findings: Findings, correlated: CorrelatedObject | undefined): number {
  const { minProperties, maxProperties, additional } = node
  const keys = Object.keys(object)
  if (minProperties !== undefined && keys.length < minProperties) findings.push(fewerProperties(path, minProperties, keys.length))
  if (maxProperties !== undefined && keys.length > maxProperties) findings.push(moreProperties(path, maxProperties, keys.length))
  if (node.embeddedResource) findings.hasEmbedded = true
  let matches = 0
  for (const key of keys) {
    const property = node.property(key)
    if (property !== undefined) {
      // apiVersion and kind are converted, so an old value says nothing about them.
      const old = correlated !== undefined && path === '' && (key === 'apiVersion' || key === 'kind') ? undefined : correlated?.key(key)
      matches += validateValue(property, object[key]!, path === '' ? key : `${path}.${key}`, findings, old)
      continue
    }
    if (additional !== undefined) matches += validateValue(additional, object[key]!, `${path}.${key}`, findings, correlated?.key(key))
    else if (node.forbidsAdditional) findings.push(forbiddenProperty(path, key))
  }
  for (const name of node.required) if (!Object.hasOwn(object, name)) findings.push(missing(`${path}.${name}`))
  return matches
}

/** anyOf, oneOf, allOf and not. Of failed alternatives the one with most passed checks is reported, beside the failure itself. */
function checkJunctors (node: SchemaNode, value: JsonValue, path: string, findings: Findings): number {
  const anyOf = node.junctor('anyOf')
  const oneOf = node.junctor('oneOf')
  const allOf = node.junctor('allOf')
  let matches = 0
  if (anyOf.length > 0) {
    const { valid, best } = tryAlternatives(anyOf, value, path, { untilValid: true })
    if (valid === 0) findings.push(pathless(`${goQuote(path)} must validate at least one schema (anyOf)`))
    findings.push(...best.findings)
    matches += best.matches
  }
  if (oneOf.length > 0) {
    const { valid, best } = tryAlternatives(oneOf, value, path, { untilValid: false })
    if (valid !== 1) findings.push(pathless(`${goQuote(path)} must validate one and only one schema (oneOf). ${valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`}`))
    if (valid < 2) {
      findings.push(...best.findings)
      matches += best.matches
    }
  }
  if (allOf.length > 0) {
    let valid = 0
    for (const n of allOf) {
      const before = findings.size
      matches += validateValue(n, value, path, findings)
      if (findings.size === before) valid++
    }
    if (valid < allOf.length) findings.push(pathless(`${goQuote(path)} must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`))
  }
  const { not } = node
  if (not !== undefined) {
    const inner = new Findings()
    validateValue(not, value, path, inner)
    if (inner.size === 0) findings.push(pathless(`${goQuote(path)} must not validate the schema (not)`))
  }
  return matches
}

interface Outcome { readonly findings: readonly Finding[]; readonly matches: number }

/** How many alternatives hold, and the first that does or else the failure with most passed checks. */
function tryAlternatives (nodes: readonly SchemaNode[], value: JsonValue, path: string, options: { untilValid: boolean }): { valid: number; best: Outcome } {
  let valid = 0
  let best: Outcome | undefined
  for (const n of nodes) {
    const findings = new Findings()
    const matches = validateValue(n, value, path, findings)
    if (findings.size === 0) {
      if (valid++ === 0) best = { findings: findings.all, matches }
      if (options.untilValid) break
    } else if (valid === 0 && (best === undefined || matches > best.matches)) {
      best = { findings: findings.all, matches }
    }
  }
  return { valid, best: best! }
}

/**
 * Whether a value is one of the enum's, after Go's conversion to the type of each: a float is cut to an integer, an integer may be the
 * code point of a one-character string. null is never in an enum.
 */
function isInEnum (value: NonNullable<JsonValue>, allowed: readonly JsonValue[]): boolean {
  for (const v of allowed) {
    if (v === value) return true
    if (typeof value === 'number' || typeof value === 'bigint') {
      if (typeof v === 'number' || typeof v === 'bigint') {
        if (isInt64(value) ? Number(value) === v : isInt64(v) && Math.trunc(value as number) === v) return true
      } else if (typeof v === 'string' && isInt64(value) && v === characterOf(value)) {
        return true
      }
    } else if (typeof value === 'object' && equalJson(value, v)) {
      return true
    }
  }
  return false
}

const characterOf = (code: number | bigint): string => code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(Number(code)) : '\ufffd'
