/**
 * Compact JSON text, indented by two spaces as Go's json.Indent does it: numbers, strings and the order of members stay as they are
 * written, and what is empty stays on its line.
 */
export function indentJson (text: string): string {
  let out = ''
  let margin = '\n'
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string
    switch (c) {
      case '"': {
        const end = endOfString(text, i)
        out += text.slice(i, end)
        i = end - 1
        break
      }
      case '{':
      case '[':
        if (text[i + 1] === '}' || text[i + 1] === ']') {
          out += c + (text[++i] as string)
        } else {
          margin += '  '
          out += c + margin
        }
        break
      case '}':
      case ']':
        margin = margin.slice(0, -2)
        out += margin + c
        break
      case ',': out += c + margin; break
      case ':': out += ': '; break
      default: out += c
    }
  }
  return out
}

/** Where the string that begins at the quote ends: behind its closing quote. */
function endOfString (text: string, start: number): number {
  let end = start
  do {
    end = text.indexOf('"', end + 1)
  } while (isEscaped(text, end))
  return end + 1
}

function isEscaped (text: string, quote: number): boolean {
  let i = quote
  while (text[i - 1] === '\\') i--
  return (quote - i) % 2 === 1
}
