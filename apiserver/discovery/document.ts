import { createHash } from 'node:crypto'

/** What a document builder needs of a request; the caller has already refused methods other than GET and HEAD. */
export interface DocumentRequest {
  readonly path: string
  readonly query: URLSearchParams
  /** Lower-case names, as node:http gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** A whole answer. Header names are in lower case; Content-Length, Date and the like are the HTTP layer's. */
export interface DocumentResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export const emptyBody: Buffer = Buffer.alloc(0)

/** Upper-case hex SHA-512: what Kubernetes uses as ETag and as the `hash` of an OpenAPI URL. */
export const contentHash = (content: Buffer | string): string => createHash('sha512').update(content).digest('hex').toUpperCase()

/** A header as one string; repeated lines are joined as HTTP says. */
export function headerValue (request: DocumentRequest, name: string): string {
  const value = request.headers[name]
  return typeof value === 'string' ? value : value?.join(', ') ?? ''
}

/**
 * Whether If-None-Match holds the tag: a list, weak tags and `*` count.
 * @param etag the quoted tag
 * Source: RFC 9110 section 13.1.2 (weak comparison).
 */
export function matchesETag (ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch.split(',').some(tag => {
    const candidate = tag.trim()
    return candidate === '*' || (candidate.startsWith('W/') ? candidate.slice(2) : candidate) === etag
  })
}

/**
 * Whether the answer is printed for a person: the `pretty` parameter, else a browser or a command line client.
 * Source: k8s.io/apiserver's content negotiation.
 */
export function wantsPretty (request: DocumentRequest): boolean {
  const asked = request.query.get('pretty')
  if (asked !== null && asked !== '') return /^(1|t|T|TRUE|true|True)$/.test(asked)
  return /^(curl|Wget|Mozilla\/5\.0)/.test(headerValue(request, 'user-agent'))
}

/** A path without one trailing slash; `/` stays. */
export const withoutTrailingSlash = (path: string): string => path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
