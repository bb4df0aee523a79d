import { isIP } from 'node:net'
import { headerValues } from '../authentication/interfaces.js'

/**
 * Where a request came from: the addresses of X-Forwarded-For, X-Real-Ip if it is not among them, and the peer of the connection if it is
 * not the last of them (apimachinery `net.SourceIPs`). All but the last can be made up by the client.
 */
export function sourceIPs (rawHeaders: readonly string[], remoteAddress: string | undefined): string[] {
  const [forwarded] = headerValues(rawHeaders, 'X-Forwarded-For')
  const found = (forwarded ?? '').split(',').map(part => part.trim()).filter(part => isIP(part) !== 0)
  const [realIp] = headerValues(rawHeaders, 'X-Real-Ip')
  if (realIp !== undefined && isIP(realIp) !== 0 && !found.includes(realIp)) found.push(realIp)
  // A dual-stack listener reports IPv4 peers as ::ffff:a.b.c.d, which Go prints as a.b.c.d.
  const peer = remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '')
  if (peer !== undefined && isIP(peer) !== 0 && found.at(-1) !== peer) found.push(peer)
  return found
}
