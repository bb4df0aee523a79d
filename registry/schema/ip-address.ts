/**
 * IP addresses as Go's net package reads them; `sloppy` is Kubernetes' variant that takes leading zeros (`010.0.0.1` is 10.0.0.1).
 * Source: `net/netip`, `k8s.io/utils/net`.
 */

/** The `ipv4` format: also an IPv6 address with an IPv4 tail. */
export const isIpv4 = (text: string): boolean => text.includes('.') && (firstMark(text) === '.' ? isQuad(text, { sloppy: true }) : isGroups(text, { sloppy: true }))

/** The `ipv6` format; no zone. */
export const isIpv6 = (text: string): boolean => text.includes(':') && firstMark(text) === ':' && isGroups(text, { sloppy: false })

/** The `cidr` format: an address and a prefix length; host bits may be set. */
export function isCidr (text: string): boolean {
  const slash = text.indexOf('/')
  if (slash < 0) return false
  const [address, length] = [text.slice(0, slash), text.slice(slash + 1)]
  if (!/^0*[0-9]{1,3}$/.test(length)) return false
  const bits = Number(length)
  return isQuad(address, { sloppy: true }) ? bits <= 32 : isGroups(address, { sloppy: true }) && bits <= 128
}

/** Any address without a zone, as net.ParseIP takes it. */
export const isIp = (text: string): boolean => firstMark(text) === '.' ? isQuad(text, { sloppy: false }) : firstMark(text) === ':' && isGroups(text, { sloppy: false })

const firstMark = (text: string): string | undefined => /[.:%]/.exec(text)?.[0]

function isQuad (text: string, { sloppy }: { sloppy: boolean }): boolean {
  const parts = text.split('.')
  const octet = sloppy ? /^0*[0-9]{1,3}$/ : /^(?:0|[1-9][0-9]{0,2})$/
  return parts.length === 4 && parts.every(p => octet.test(p) && Number(p) <= 255)
}

function isGroups (text: string, { sloppy }: { sloppy: boolean }): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let count = 0
  for (const [h, half] of halves.entries()) {
    if (half === '') continue
    const groups = half.split(':')
    for (const [i, group] of groups.entries()) {
      const last = h === halves.length - 1 && i === groups.length - 1
      if (last && group.includes('.')) {
        if (!isQuad(group, { sloppy })) return false
        count += 2
      } else {
        if (!(sloppy ? /^0*[0-9a-fA-F]{1,4}$/ : /^[0-9a-fA-F]{1,4}$/).test(group)) return false
        count++
      }
    }
  }
  return halves.length === 2 ? count < 8 : count === 8
}
