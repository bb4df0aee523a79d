/** The longest line that is taken: larger than any object that etcd stores. */
const maxLineBytes = 16 * 1024 * 1024

/** The lines of a byte stream, without their ends; what follows the last line end is not whole and is left out. @throws RangeError */
export async function * splitLines (chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let pieces: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      pieces.push(chunk.subarray(start, end))
      yield Buffer.concat(pieces).toString()
      pieces = []
      length = 0
      start = end + 1
    }
    if (start === chunk.length) continue
    pieces.push(chunk.subarray(start))
    length += chunk.length - start
    if (length > maxLineBytes) throw new RangeError(`a line of the watch is longer than ${maxLineBytes} bytes`)
  }
}
