import type { Verb } from '../registry/generic/resource-definition.js'

/** What a URL and method ask for, before anything else is known. Source: `k8s.io/apiserver/pkg/endpoints/request/requestinfo.go`. */
export type RequestInfo = ResourceRequestInfo | PathRequestInfo

export interface ResourceRequestInfo {
  readonly kind: 'resource'
  readonly path: string
  /** What authorization is asked; an unknown method is its lower-cased name. */
  readonly verb: Verb | string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  /** From the path, or from `fieldSelector=metadata.name=…`. */
  readonly name: string
  /** Path segments after group and version, namespace stripped: resource, name, subresource, further ones. */
  readonly parts: readonly string[]
}

export interface PathRequestInfo {
  readonly kind: 'path'
  readonly path: string
  /** The method, lower-cased. */
  readonly verb: string
}

/** @param path the decoded path's raw form (still percent-encoded segments); @param query the parsed query */
export function requestInfo (method: string, path: string, query: URLSearchParams): RequestInfo {
  const segments = path.split('/').filter(s => s !== '').map(decode)
  const plain = (): PathRequestInfo => ({ kind: 'path', path, verb: method.toLowerCase() })
  const core = segments[0] === 'api'
  if (segments.length < (core ? 3 : 4) || !(core || segments[0] === 'apis')) return plain()
  const [group, version, ...rest] = (core ? ['', ...segments.slice(1)] : segments.slice(1)) as [string, string, ...string[]]
  let legacyWatch = false
  if (rest[0] === 'watch' || rest[0] === 'proxy') {
    if (rest.length < 2) return plain()
    legacyWatch = rest[0] === 'watch'
    rest.shift()
  }
  let namespace = ''
  if (rest[0] === 'namespaces' && rest.length > 2) {
    namespace = rest[1]!
    rest.splice(0, 2)
  }
  if (core && rest[0] === 'namespaces') namespace = rest[1] ?? '' // a Namespace is in itself
  const [resource = '', pathName = '', subresource = ''] = rest
  let name = pathName
  let verb: string = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method] ?? method.toLowerCase()
  if (legacyWatch) verb = 'watch'
  if (name === '' && verb === 'get') {
    verb = truthy(query.get('watch')) ? 'watch' : 'list'
    name = /^metadata\.name==?([^,=!]+)$/.exec(query.get('fieldSelector') ?? '')?.[1] ?? ''
  }
  if (name === '' && verb === 'delete') verb = 'deletecollection'
  return { kind: 'resource', path, verb, group, version, resource, subresource, namespace, name, parts: rest }
}

/** A boolean query parameter as Kubernetes reads it: there, and neither `0` nor `false`. */
export const truthy = (value: string | null): boolean => value !== null && value !== '0' && value.toLowerCase() !== 'false'

function decode (segment: string): string {
  if (!segment.includes('%')) return segment
  try { return decodeURIComponent(segment) } catch { return segment }
}
