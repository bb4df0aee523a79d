/** A request that the protocol answers with a status and a text, instead of a Kubernetes Status. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly status: number
  constructor (status: number, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.status = status
  }
}
