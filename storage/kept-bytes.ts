// Bytes that stay for as long as an object or an event does, in memory of their own. `Buffer.from` takes what is small from a pool of 8 KB that it
// shares with what requests need for a moment; one object of 1 KB that stays would keep all of it.

/** The UTF-8 of a text. */
export function keptText (text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text))
  bytes.write(text)
  return bytes
}

/** Bytes as they are now. */
export function keptCopy (bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}
