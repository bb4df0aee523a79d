/** One clause of an Accept header. */
export interface AcceptClause {
  readonly type: string
  readonly subtype: string
  readonly q: number
  readonly params: ReadonlyMap<string, string>
}

/**
 * The clauses of an Accept header, the most wanted first: by q, then exact types before wildcards, else as written. Malformed clauses
 * are left out; an unreadable q counts as 0.
 */
export function parseAccept (header: string): AcceptClause[] {
  return header.split(',').flatMap(parseClause).sort((a, b) => b.q - a.q || wildcards(a) - wildcards(b))
}

function parseClause (text: string): AcceptClause[] {
  const [media = '', ...parameters] = text.split(';')
  const parts = media.split('/').map(part => part.trim())
  const type = parts[0] ?? ''
  const subtype = parts.length === 1 && type === '*' ? '*' : parts[1] ?? ''
  if (parts.length > 2 || type === '' || subtype === '') return []
  const params = new Map<string, string>()
  let q = 1
  for (const parameter of parameters) {
    const [name, value, ...more] = parameter.split('=').map(part => part.trim())
    if (name === undefined || value === undefined || value === '' || more.length > 0) continue
    if (name === 'q') q = Number.isFinite(Number(value)) ? Number(value) : 0
    else params.set(name, value)
  }
  return [{ type, subtype, q, params }]
}

const wildcards = (clause: AcceptClause): number => clause.type === '*' ? 2 : clause.subtype === '*' ? 1 : 0

const matches = (clause: AcceptClause, mediaType: string): boolean => {
  const [type, subtype] = mediaType.split('/')
  return clause.type === '*' ? clause.subtype === '*' : clause.type === type && (clause.subtype === subtype || clause.subtype === '*')
}

/**
 * The first of the offered media types that the header accepts, by the header's own order, whatever the parameters.
 * @returns undefined when nothing matches; an absent header accepts everything
 */
export function negotiateMediaType<T extends string> (header: string, offered: readonly T[]): T | undefined {
  if (header.trim() === '') return offered[0]
  for (const clause of parseAccept(header)) {
    for (const mediaType of offered) if (matches(clause, mediaType)) return mediaType
  }
  return undefined
}

/** The group, version and kind that a clause wants the answer converted to (`g`, `v` and `as`). */
export interface Conversion { readonly group: string; readonly version: string; readonly kind: string }

export interface Negotiated { readonly mediaType: 'application/json' | 'application/yaml'; readonly conversion: Conversion | undefined; readonly pretty: boolean }

const objectTypes = ['application/json', 'application/yaml'] as const

/**
 * Negotiates a Kubernetes object: clauses that ask for a conversion which `allows` refuses, for another server version or for a stream
 * are skipped.
 * @returns undefined for 406
 * Source: k8s.io/apiserver, NegotiateMediaTypeOptions. Protobuf is not offered: such a clause is skipped like any unknown one.
 */
export function negotiateObject (header: string, allows: (conversion: Conversion) => boolean): Negotiated | undefined {
  if (header.trim() === '') return { mediaType: 'application/json', conversion: undefined, pretty: false }
  for (const clause of parseAccept(header)) {
    for (const mediaType of objectTypes) {
      if (!matches(clause, mediaType)) continue
      const { params } = clause
      const converts = params.has('as') || params.has('g') || params.has('v')
      const conversion = converts ? { group: params.get('g') ?? '', version: params.get('v') ?? '', kind: params.get('as') ?? '' } : undefined
      if (conversion !== undefined && !allows(conversion)) continue
      if (params.has('sv') || (params.has('stream') && params.get('stream') !== 'watch')) continue
      return { mediaType, conversion, pretty: params.get('pretty') === '1' }
    }
  }
  return undefined
}
