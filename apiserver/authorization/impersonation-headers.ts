import { goQuote } from '../../registry/meta/go-format.js'
import { newBadRequest } from '../../registry/meta/status-error.js'
import { headerText, headerValues, type UserInfo } from '../authentication/interfaces.js'
import { percentDecode } from '../authentication/percent-decode.js'

const extraPrefix = 'impersonate-extra-'

/**
 * The user whom a request wants to act as, as its Impersonate-* headers say it and nothing more; undefined without any.
 * @throws StatusError 400 for the others without Impersonate-User
 */
export function wantedUser (rawHeaders: readonly string[]): UserInfo | undefined {
  if (!hasAny(rawHeaders)) return undefined
  const name = headerText(headerValues(rawHeaders, 'Impersonate-User')[0] ?? '')
  const uid = headerText(headerValues(rawHeaders, 'Impersonate-Uid')[0] ?? '')
  const groups = headerValues(rawHeaders, 'Impersonate-Group').map(headerText)
  const extra = Object.create(null) as Record<string, string[]>
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!.toLowerCase()
    if (header.startsWith(extraPrefix)) (extra[percentDecode(header.slice(extraPrefix.length))] ??= []).push(headerText(rawHeaders[i + 1]!))
  }
  const hasExtra = Object.keys(extra).length > 0
  if (name === '' && (uid !== '' || groups.length > 0 || hasExtra)) throw newBadRequest(`requested ${goUser(uid, groups, extra)} without impersonating a user name`)
  if (name === '') return undefined
  return { name, ...(uid !== '' && { uid }), groups, ...(hasExtra && { extra }) }
}

const commonPrefix = 'impersonate-'

/** Every request is asked this, so it looks at few characters. */
function hasAny (rawHeaders: readonly string[]): boolean {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length > commonPrefix.length && (name.charCodeAt(0) | 0x20) === 0x69 && name.slice(0, commonPrefix.length).toLowerCase() === commonPrefix) return true
  }
  return false
}

/** Go prints the whole struct (`%#v`), so that is what clients get. */
function goUser (uid: string, groups: readonly string[], extra: Readonly<Record<string, readonly string[]>>): string {
  const list = (values: readonly string[]): string => `[]string{${values.map(goQuote).join(', ')}}`
  const keys = Object.keys(extra).sort()
  return `&user.DefaultInfo{Name:"", UID:${goQuote(uid)}, Groups:${groups.length === 0 ? '[]string(nil)' : list(groups)}, Extra:${keys.length === 0 ? 'map[string][]string(nil)' : `map[string][]string{${keys.map(key => `${goQuote(key)}:${list(extra[key]!)}`).join(', ')}}`}}`
}
