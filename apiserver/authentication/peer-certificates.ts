import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'

const none: readonly X509Certificate[] = []

/**
 * The certificates that the client of a connection sent, read once per connection. Give it the TLS socket itself: for an HTTP/2 request
 * that is `request.stream.session.socket`'s underlying socket, which `request.socket` stands for as well.
 */
export class PeerCertificates {
  readonly #bySocket = new WeakMap<object, readonly X509Certificate[]>()

  /** Its own certificate first, then what it sent with it, in its order; empty without TLS or without a certificate. */
  of (socket: Duplex): readonly X509Certificate[] {
    let found = this.#bySocket.get(socket)
    if (found === undefined) this.#bySocket.set(socket, found = read(socket))
    return found
  }
}

function read (socket: Duplex): readonly X509Certificate[] {
  // HTTP/2 hands out a proxy of the socket, which is an instance too.
  if (!(socket instanceof TLSSocket) && !('getPeerX509Certificate' in socket)) return none
  const chain: X509Certificate[] = []
  // Node links what the client sent as issuers, one to the next, without having verified any of it.
  for (let next = (socket as TLSSocket).getPeerX509Certificate(); next !== undefined; next = next.issuerCertificate) chain.push(next)
  return chain
}
