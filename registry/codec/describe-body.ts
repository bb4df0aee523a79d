const maxLength = 30
const brace = 0x7b

/**
 * The bytes of a body that could not be decoded, as the last parenthesis of "the object provided is unrecognized (must be of type …): … (…)":
 * text if it begins like a JSON object, otherwise hex, of the first 30 bytes.
 */
export function describeBody (bytes: Buffer): string {
  if (bytes.length === 0) return '<empty>'
  const head = bytes.subarray(0, maxLength)
  return (head[0] === brace ? head.toString('utf8') : head.toString('hex')) + (bytes.length > maxLength ? ' ...' : '')
}
