import { isDuration } from './go-duration.js'
import { isEmailAddress } from './email-address.js'
import { isCidr, isIpv4, isIpv6 } from './ip-address.js'
import { isRequestUri } from './request-uri.js'

/**
 * The string formats of custom resources, with the acceptance rules of Go's strfmt (which are often laxer than the formats' names).
 * Source: `apiextensions-apiserver/pkg/apiserver/validation/formats.go`, `kube-openapi/pkg/validation/strfmt`.
 */

type Check = (text: string) => boolean

/** Names are compared without dashes: `date-time` is `datetime`. */
const normalize = (format: string): string => format.replaceAll('-', '')

/** Whether strings are checked for this format; others are ignored. */
export const isSupportedFormat = (format: string): boolean => Object.hasOwn(checks, normalize(format))

/** The check of a format; undefined if there is none to make. */
export function formatCheck (format: string): Check | undefined {
  const name = normalize(format)
  return Object.hasOwn(checks, name) ? checks[name] : undefined
}

const matches = (pattern: RegExp): Check => text => pattern.test(text)

/** `2006-01-02`, a day that exists. */
export function isDate (text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (parts === null) return false
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])]
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

/** The number of days of a month (1 to 12). */
export function daysIn (year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

/** RFC 3339 without case; the zone's numbers are not checked, and what follows a second `t` is not read. */
function isDateTime (text: string): boolean {
  if (commonDateTime.test(text)) return true
  if (text.length < 4) return false
  const [date, time] = text.toLowerCase().split('t')
  if (time === undefined || !isDate(date!)) return false
  const parts = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$/u.exec(time)
  return parts !== null && parts[1]! <= '23' && parts[2]! <= '59' && parts[3]! <= '59'
}

/** What Kubernetes itself writes, but for the last days of months. */
const commonDateTime = /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/

const label = '[a-zA-Z0-9\\p{S}\\p{L}]'
const hostname = new RegExp(`^(${label}((-?${label}{0,62})?)|(${label}(([a-zA-Z0-9\\-\\p{S}\\p{L}]{0,61}${label})?)(\\.)){1,}([a-zA-Z\\p{L}]){2,63})$`, 'u')

function isHostname (text: string): boolean {
  return Buffer.byteLength(text) <= 255 && hostname.test(text) && text.split('.').every(p => Buffer.byteLength(p) <= 63)
}

const cardNumber = /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/

/** A card number of the known issuers whose Luhn sum is right; anything but digits is skipped. */
function isCreditCard (text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, '')
  if (!cardNumber.test(digits)) return false
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i])
    sum += i % 2 === 0 ? digit : digit < 5 ? 2 * digit : 2 * digit - 9
  }
  return sum % 10 === 0
}

const withoutGaps = (text: string): string => text.replace(/[\t\n\f\r -]+/g, '')

function isIsbn10 (text: string): boolean {
  const isbn = withoutGaps(text)
  if (!/^(?:[0-9]{9}X|[0-9]{10})$/.test(isbn)) return false
  let sum = 0
  for (let i = 0; i < 10; i++) sum += (i + 1) * (isbn[i] === 'X' ? 10 : Number(isbn[i]))
  return sum % 11 === 0
}

function isIsbn13 (text: string): boolean {
  const isbn = withoutGaps(text)
  if (!/^[0-9]{13}$/.test(isbn)) return false
  let sum = 0
  for (let i = 0; i < 12; i++) sum += (i % 2 === 0 ? 1 : 3) * Number(isbn[i])
  return Number(isbn[12]) === (10 - sum % 10) % 10
}

const colorPart = '(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])'
const gap = '[\\t\\n\\f\\r ]*'
const shortName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const longName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const macOctets = '(?:[0-9a-fA-F]{2}SEP){5}(?:(?:[0-9a-fA-F]{2}SEP){2}(?:(?:[0-9a-fA-F]{2}SEP){12})?)?[0-9a-fA-F]{2}'
const mac = new RegExp(`^(?:${macOctets.replaceAll('SEP', ':')}|${macOctets.replaceAll('SEP', '-')}|${macOctets.replaceAll('SEP', '')}|` +
  '(?:[0-9a-fA-F]{4}\\.){2}(?:[0-9a-fA-F]{4}\\.(?:(?:[0-9a-fA-F]{4}\\.){6})?)?[0-9a-fA-F]{4})$')

const checks: Readonly<Record<string, Check>> = {
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri: isRequestUri,
  email: isEmailAddress,
  hostname: isHostname,
  ipv4: isIpv4,
  ipv6: isIpv6,
  cidr: isCidr,
  mac: matches(mac),
  uuid: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i),
  uuid3: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i),
  uuid4: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  uuid5: matches(/^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i),
  isbn: text => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: text => text.length === 11 && /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: matches(/^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(new RegExp(`^rgb\\(${gap}${colorPart}${gap},${gap}${colorPart}${gap},${gap}${colorPart}${gap}\\)$`)),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  password: () => true,
  date: isDate,
  duration: isDuration,
  datetime: isDateTime,
  k8sshortname: text => text.length <= 63 && shortName.test(text),
  k8slongname: text => text.length <= 253 && longName.test(text)
}
