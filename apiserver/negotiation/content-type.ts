import { newUnsupportedMediaType } from '../../registry/meta/status-error.js'

const bodyTypes = 'application/json, application/yaml, application/vnd.kubernetes.protobuf'
export type PatchType = 'json' | 'merge' | 'apply'
const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/apply-patch+yaml': 'apply'
}

/** The encoding of a body; none is JSON. @throws StatusError 415 */
export function bodyEncoding (contentType: string | undefined): 'json' | 'yaml' {
  if (contentType === undefined || contentType === '') return 'json'
  const [type = '', ...params] = contentType.split(';')
  const wellFormed = params.every(p => /^\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+=("[^"]*"|[^\s;"]+)\s*$/.test(p) || p.trim() === '')
  switch (wellFormed ? type.trim().toLowerCase() : '') {
    case 'application/json': return 'json'
    case 'application/yaml': return 'yaml'
    default: throw newUnsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${bodyTypes}`)
  }
}

/** The kind of a patch, by its exact media type. @throws StatusError 415 */
export function patchType (contentType: string | undefined): PatchType {
  const type = patchTypes[(contentType ?? '').split(';')[0]!]
  if (type === undefined) throw newUnsupportedMediaType(`the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`)
  return type
}
