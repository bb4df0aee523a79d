import { isIp } from './ip-address.js'

/**
 * The `uri` format: what Go's url.ParseRequestURI takes, that is an absolute URI (`mailto:x` too), an absolute path, or `*`.
 * Queries and fragments are not looked at.
 * Source: `net/url`.
 */
export function isRequestUri (text: string): boolean {
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text)) return false // eslint-disable-line no-control-regex
  if (text === '*') return true
  if (text.startsWith(':')) return false
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase()
  const rest = (scheme === undefined ? text : text.slice(scheme.length + 1)).replace(/\?.*$/s, '')
  if (!rest.startsWith('/')) return scheme !== undefined
  if (scheme === undefined || !rest.startsWith('//')) return areEscapesWhole(rest)
  const slash = rest.indexOf('/', 2)
  const [authority, path] = slash < 0 ? [rest.slice(2), ''] : [rest.slice(2, slash), rest.slice(slash)]
  const at = authority.lastIndexOf('@')
  const user = authority.slice(0, Math.max(at, 0))
  return isHost(authority.slice(at + 1), scheme) && /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) && user.split(':').every(areEscapesWhole) && areEscapesWhole(path)
}

/** Every `%` is followed by two hexadecimal digits. */
const areEscapesWhole = (text: string): boolean => !/%(?![0-9a-fA-F]{2})/.test(text)

/** In a host `%` may only escape bytes above ASCII, and itself. */
const isHostText = (text: string): boolean => areEscapesWhole(text) && !/%(?!25)[0-7]/.test(text) && !/[\u0000-\u0020#/?@\\^`{|}\u007f]/.test(text) // eslint-disable-line no-control-regex
const isPort = (text: string): boolean => /^(?::[0-9]*)?$/.test(text)

function isHost (host: string, scheme: string): boolean {
  const bracket = host.lastIndexOf('[')
  if (bracket > 0) return false
  if (bracket === 0) {
    const end = host.lastIndexOf(']')
    return end > 0 && isPort(host.slice(end + 1)) && isBracketed(host.slice(1, end))
  }
  const first = host.indexOf(':')
  if (first >= 0 && !isPort(host.slice(scheme === 'http' || scheme === 'https' ? first : host.lastIndexOf(':')))) return false
  return isHostText(host)
}

/** An IPv6 address, with or without a zone (`fe80::1%25en0`). */
function isBracketed (host: string): boolean {
  const zone = host.indexOf('%25')
  const address = zone < 0 ? host : host.slice(0, zone)
  if (!address.includes(':') || !isIp(address)) return false
  if (zone < 0) return true
  const name = host.slice(zone + 3)
  return name !== '' && areEscapesWhole(name) && isHostText(name.replace(/%[0-9a-fA-F]{2}/g, '')) &&
    [...name.matchAll(/%([0-9a-fA-F]{2})/g)].every(m => m[1] === '25' || /[A-Za-z0-9\-._~!"$&'()*+,:;<=>[\] ]/.test(String.fromCharCode(parseInt(m[1]!, 16))))
}
