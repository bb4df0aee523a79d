/**
 * Rules for names, label keys and values. Each function returns the texts of what is wrong, none if all is well.
 * Source: `k8s.io/apimachinery/pkg/util/validation` and `pkg/api/validate/content` (texts are seen by clients).
 */

const labelFmt = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const labelPattern = new RegExp(`^${labelFmt}$`)
const labelMessage = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character"
const subdomainFmt = `${labelFmt}(\\.${labelFmt})*`
const subdomainPattern = new RegExp(`^${subdomainFmt}$`)
const subdomainMessage = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
const keyFmt = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const keyPattern = new RegExp(`^${keyFmt}$`)
const keyMessage = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
const valueFmt = `(${keyFmt})?`
const valuePattern = new RegExp(`^${valueFmt}$`)
const valueMessage = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"

const byteLength = (s: string): number => Buffer.byteLength(s)
// Upstream has these rules twice: those of names count "characters", those of label keys "bytes". Both mean bytes.
const tooLong = (max: number, unit: 'bytes' | 'characters'): string => `must be no more than ${max} ${unit}`

function regexMessage (message: string, pattern: string, ...examples: string[]): string {
  return `${message} (e.g. ${examples.map(e => `'${e}', `).join(' or ')}regex used for validation is '${pattern}')`
}

/** A DNS label: namespaces. */
export function isDns1123Label (value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > 63) out.push(tooLong(63, 'characters'))
  if (!labelPattern.test(value)) out.push(subdomainPattern.test(value) ? 'must not contain dots' : regexMessage(labelMessage, labelFmt, 'my-name', '123-abc'))
  return out
}

/** A DNS subdomain: object names. */
export function isDns1123Subdomain (value: string, unit: 'bytes' | 'characters' = 'characters'): string[] {
  const out: string[] = []
  if (byteLength(value) > 253) out.push(tooLong(253, unit))
  if (!subdomainPattern.test(value)) out.push(regexMessage(subdomainMessage, subdomainFmt, 'example.com'))
  return out
}

/** A label key, annotation key (lower-cased by the caller) or finalizer: `[prefix/]name`. */
export function isQualifiedName (value: string): string[] {
  const parts = value.split('/')
  const out: string[] = []
  let name = value
  if (parts.length === 2) {
    const [prefix, rest] = parts as [string, string]
    name = rest
    if (prefix === '') out.push('prefix part must be non-empty')
    else out.push(...isDns1123Subdomain(prefix, 'bytes').map(m => `prefix part ${m}`))
  } else if (parts.length > 2) {
    return [`a valid label key ${regexMessage(keyMessage, keyFmt, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  if (name === '') out.push('name part must be non-empty')
  else if (byteLength(name) > 63) out.push(`name part ${tooLong(63, 'bytes')}`)
  if (!keyPattern.test(name)) out.push(`name part ${regexMessage(keyMessage, keyFmt, 'MyName', 'my.name', '123-abc')}`)
  return out
}

/** A label value: empty, or up to 63 characters. */
export function isLabelValue (value: string): string[] {
  const out: string[] = []
  if (byteLength(value) > 63) out.push(tooLong(63, 'bytes'))
  if (!valuePattern.test(value)) out.push(regexMessage(valueMessage, valueFmt, 'MyValue', 'my_value', '12345'))
  return out
}

/** The floor for every name: usable as one segment of a path. `prefix` is for generateName. */
export function isPathSegment (value: string, { prefix }: { prefix: boolean }): string[] {
  if (!prefix && (value === '.' || value === '..')) return [`may not be '${value}'`]
  return ['/', '%'].filter(c => value.includes(c)).map(c => `may not contain '${c}'`)
}

/** The rule for a custom resource's name; a generateName may end in dashes. */
export function isSubdomainName (value: string, { prefix }: { prefix: boolean }): string[] {
  return isDns1123Subdomain(prefix && value.length > 1 && value.endsWith('-') ? value.slice(0, -2) + 'a' : value)
}
