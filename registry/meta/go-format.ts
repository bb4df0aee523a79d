/** Text as Go's fmt and strconv write it, because kube-apiserver's messages are made with them and clients compare them. */

/** A string as strconv.Quote (`%q`) writes it. */
export function goQuote (s: string): string {
  let out = '"'
  for (const ch of s) {
    const c = ch.codePointAt(0)!
    if (ch === '"') out += '\\"'
    else if (ch === '\\') out += '\\\\'
    else if (c >= 0x20 && c < 0x7f) out += ch
    else if (c === 7) out += '\\a'
    else if (c === 8) out += '\\b'
    else if (c === 12) out += '\\f'
    else if (c === 10) out += '\\n'
    else if (c === 13) out += '\\r'
    else if (c === 9) out += '\\t'
    else if (c === 11) out += '\\v'
    else if (c < 0x20 || c === 0x7f) out += '\\x' + c.toString(16).padStart(2, '0')
    else if (isPrint(ch)) out += ch
    else if (c < 0x10000) out += '\\u' + c.toString(16).padStart(4, '0')
    else out += '\\U' + c.toString(16).padStart(8, '0')
  }
  return out + '"'
}

/** unicode.IsPrint: letters, marks, numbers, punctuation, symbols; of the spaces only U+0020. */
const isPrint = (ch: string): boolean => /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(ch)

/**
 * A decoded number as `%v` prints it: an int64 in full, a float64 with an exponent below 1e-4 and from 1e6 on.
 * @param options.float takes an integer for a float64, as a schema's bounds are
 */
export function goNumber (n: number, options?: { float: boolean }): string {
  if (Number.isSafeInteger(n) && options?.float !== true) return Object.is(n, -0) ? '-0' : String(n)
  const text = n.toExponential()
  const exponent = Number(text.slice(text.indexOf('e') + 1))
  if (exponent >= -4 && exponent < 6) return Object.is(n, -0) ? '-0' : String(n)
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}
