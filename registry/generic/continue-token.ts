import type { Revision } from '../../storage/interfaces.js'
import { parseJson } from '../codec/json-parse.js'

/** Where a paged list goes on. `revision` is -1 for "whatever is newest". */
export interface ContinueToken { readonly revision: Revision; readonly startKey: string }

/** A token that cannot be read; the message is upstream's. */
export class ContinueTokenError extends Error { override readonly name = 'ContinueTokenError' }

/** @param lastKey the last key that was returned; the next page starts right after it */
export function encodeContinue (prefix: string, lastKey: string, revision: Revision): string {
  const json = `{"v":"meta.k8s.io/v1","rv":${revision},"start":${JSON.stringify(lastKey.slice(prefix.length) + '\0')}}`
  return Buffer.from(json).toString('base64url')
}

/** @throws ContinueTokenError. Source: `k8s.io/apiserver/pkg/storage/continue.go` */
export function decodeContinue (prefix: string, text: string): ContinueToken {
  const wrong = (why: string): ContinueTokenError => new ContinueTokenError(`continue key is not valid${why}`)
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw wrong(`: illegal base64 data at input byte ${text.search(/[^A-Za-z0-9_-]/)}`)
  let token: unknown
  try {
    token = parseJson(Buffer.from(text, 'base64url')).value
  } catch (error) {
    throw wrong(`: ${(error as Error).message}`)
  }
  if (typeof token !== 'object' || token === null) throw wrong(': not an object')
  const { v, rv, start } = token as { v?: unknown; rv?: unknown; start?: unknown }
  if (v !== 'meta.k8s.io/v1') throw wrong(`: server does not recognize this encoded version ${typeof v === 'string' ? v : ''}`)
  if (typeof rv !== 'number' || !Number.isSafeInteger(rv) || rv === 0) throw wrong(': incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (typeof start !== 'string' || start === '') throw wrong(': encoded start key empty (version meta.k8s.io/v1)')
  const key = start.startsWith('/') ? start : `/${start}`
  if (/\/(\.{0,2})(\/|$)/.test(key.replace(/\0$/, ''))) throw wrong(`: ${start}`)
  return { revision: BigInt(rv), startKey: prefix + key.slice(1) }
}
