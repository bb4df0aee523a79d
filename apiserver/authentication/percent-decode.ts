/** Decodes `%2f` and the like, as Go's url.PathUnescape; a text with a broken escape stays as it is. */
export function percentDecode (text: string): string {
  if (!text.includes('%')) return text
  if (/%(?![0-9a-f]{2})/i.test(text)) return text
  const bytes = Buffer.from(text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), 'latin1')
  return bytes.toString()
}
