import type { GroupVersionKind } from '../../registry/meta/object-meta.js'
import { newNotAcceptable, StatusError } from '../../registry/meta/status-error.js'

/** How an answer is to be written. */
export interface OutputFormat {
  readonly encoding: 'json' | 'yaml'
  readonly pretty: boolean
  /** The view that was asked for; absent is the object itself. */
  readonly view: OutputView | undefined
}

/** `as=…;g=meta.k8s.io;v=…` of an Accept clause. */
export interface OutputView { readonly kind: 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList'; readonly version: 'v1' | 'v1beta1' }

interface Clause { readonly type: string; readonly subtype: string; readonly q: number; readonly params: ReadonlyMap<string, string> }

const mediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf']
const streamTypes = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch']
/** What custom resources are written as; protobuf is announced in messages, as upstream does, and never chosen. */
const encodings = [['json', 'json'], ['yaml', 'yaml']] as const

/**
 * Chooses encoding and view from Accept; the first clause that can be met wins, by quality.
 * @throws StatusError 406 when none can. Source: `k8s.io/apiserver/pkg/endpoints/handlers/negotiation`.
 */
export function negotiateOutput (request: { accept: string | undefined; userAgent: string | undefined; query: URLSearchParams }, options: { stream?: boolean; views?: boolean } = {}): OutputFormat {
  const pretty = wantsPretty(request.userAgent, request.query)
  if (request.accept === undefined || request.accept === '') return { encoding: 'json', pretty, view: undefined }
  for (const clause of parseAccept(request.accept)) {
    for (const [encoding, subtype] of encodings) {
      const fits = (clause.type === 'application' && (clause.subtype === subtype || clause.subtype === '*')) || (clause.type === '*' && clause.subtype === '*')
      if (!fits) continue
      const chosen = chooseView(clause.params, options.views !== false)
      if (chosen === 'unsupported') continue
      if (options.stream === true && encoding === 'yaml') throw notAcceptable(streamTypes)
      return { encoding, pretty: pretty || clause.params.get('pretty') === '1', view: chosen }
    }
  }
  throw notAcceptable(mediaTypes)
}

/** The same for errors: views are ignored, and where nothing fits JSON is written, indented. */
export function negotiateError (request: { accept: string | undefined; userAgent: string | undefined; query: URLSearchParams }): OutputFormat {
  try {
    return negotiateOutput(request, { views: false })
  } catch {
    return { encoding: 'json', pretty: true, view: undefined }
  }
}

const notAcceptable = (types: readonly string[]): StatusError => newNotAcceptable(`only the following media types are accepted: ${types.join(', ')}`)

function chooseView (params: ReadonlyMap<string, string>, allowed: boolean): OutputView | undefined | 'unsupported' {
  const target: Partial<GroupVersionKind> = { ...(params.has('as') && { kind: params.get('as')! }), ...(params.has('g') && { group: params.get('g')! }), ...(params.has('v') && { version: params.get('v')! }) }
  const stream = params.get('stream')
  if (stream && stream !== 'watch') return 'unsupported'
  if (params.get('sv') && params.get('sv') !== 'v1') return 'unsupported'
  if (Object.keys(target).length === 0) return undefined
  if (!allowed || target.group !== 'meta.k8s.io' || (target.version !== 'v1' && target.version !== 'v1beta1')) return 'unsupported'
  if (target.kind !== 'Table' && target.kind !== 'PartialObjectMetadata' && target.kind !== 'PartialObjectMetadataList') return 'unsupported'
  return { kind: target.kind, version: target.version }
}

const cache = new Map<string, readonly Clause[]>() // bounded by cacheLimit; pure memo
const cacheLimit = 256

/** Clauses of an Accept header, best quality first, the more specific first among equals. Clients repeat a few headers, so they are kept. */
function parseAccept (header: string): readonly Clause[] {
  const known = cache.get(header)
  if (known) return known
  const clauses: Clause[] = []
  for (const part of header.split(',')) {
    const [range = '', ...rest] = part.split(';').map(s => s.trim())
    if (range === '') continue
    const [type = '', subtype = '*', ...more] = range.split('/')
    if (more.length > 0 || (type === '' && subtype === '')) continue
    const params = new Map(rest.map(p => { const at = p.indexOf('='); return at < 0 ? [p, ''] as const : [p.slice(0, at).trim(), p.slice(at + 1).trim()] as const }))
    const q = params.has('q') ? Number(params.get('q')) : 1
    params.delete('q')
    clauses.push({ type, subtype, q: Number.isFinite(q) ? q : 1, params })
  }
  const vague = (c: Clause): number => (c.type === '*' ? 2 : 0) + (c.subtype === '*' ? 1 : 0)
  clauses.sort((a, b) => b.q - a.q || vague(a) - vague(b))
  if (cache.size >= cacheLimit) cache.clear()
  cache.set(header, clauses)
  return clauses
}

function wantsPretty (userAgent: string | undefined, query: URLSearchParams): boolean {
  const asked = query.get('pretty')
  if (asked) return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(asked)
  return userAgent !== undefined && /^(curl|Wget|Mozilla\/5\.0)/.test(userAgent)
}
