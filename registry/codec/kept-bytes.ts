/**
 * The UTF-8 of a text that is kept for long, in memory of its own. `Buffer.from` takes small texts from a pool of 8 KB that it shares with what
 * a request needs for a moment; one object of 1 KB that stays would keep all of it.
 */
export function keptBytes (text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  bytes.write(text)
  return bytes
}
