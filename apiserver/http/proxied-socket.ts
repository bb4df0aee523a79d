import { EventEmitter } from 'node:events'
import type { TLSSocket } from 'node:tls'

/** GOAWAY, no error, last stream 2^31-1: go elsewhere with what comes next; what is under way is still served (RFC 9113, 6.8). */
const shutdownNotice = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])

/**
 * A TLS socket as an HTTP/2 session sees it, with room for a frame of our own between the session's.
 *
 * Once nghttp2 has sent a GOAWAY it ignores every stream that the client opened before reading it. The client may send those again, which
 * a reverse proxy cannot do with a body that it has passed on already: kube-apiserver's aggregator fails the write ("cannot retry … after
 * Request.Body was written"). nghttp2's remedy, a first GOAWAY that only announces (`nghttp2_submit_shutdown_notice`), is not in
 * node:http2, so this class writes that frame. A session on a socket of Node's own writes below JavaScript, where nothing can come
 * between its frames; that is why this costs a hop for every read and write, and why only the connections of proxies have one.
 *
 * What node:http2 asks of a stream that is no socket: it corks, writes whole frames, uncorks, and waits for the callbacks.
 */
export class ProxiedSocket extends EventEmitter {
  readonly tls: TLSSocket
  /** What node:http2 looks at to accept the connection. */
  readonly alpnProtocol = 'h2'
  #corked = false
  #chunks: Buffer[] = []
  #callbacks: ((error?: Error | null) => void)[] = []

  constructor (tls: TLSSocket) {
    super()
    this.tls = tls
    tls.on('data', (chunk: Buffer) => { this.emit('data', chunk) })
    tls.once('end', () => { this.emit('end') })
    tls.once('close', () => { this.emit('close') })
    tls.on('error', (error: Error) => { if (this.listenerCount('error') > 0) this.emit('error', error) })
  }

  /** Tells the client to open new connections for new requests. Every request that arrives all the same is served. */
  announceShutdown (): void {
    if (this.tls.writable) this.tls.write(shutdownNotice)
  }

  get readable (): boolean { return this.tls.readable }
  get writable (): boolean { return this.tls.writable }
  get destroyed (): boolean { return this.tls.destroyed }
  pause (): void { this.tls.pause() }
  resume (): void { this.tls.resume() }
  cork (): void { this.#corked = true }

  write (chunk: Buffer, callback: (error?: Error | null) => void): void {
    this.#chunks.push(chunk)
    this.#callbacks.push(callback)
    if (!this.#corked) this.uncork()
  }

  /** What the session wrote in one go is whole frames: handed on in one piece, so that nothing gets in between. */
  uncork (): void {
    this.#corked = false
    const [chunks, callbacks] = [this.#chunks, this.#callbacks]
    if (chunks.length === 0) return
    this.#chunks = []
    this.#callbacks = []
    this.tls.write(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), error => { for (const callback of callbacks) callback(error) })
  }

  end (callback?: () => void): void { this.tls.end(callback) }
  destroy (error?: Error): void { this.tls.destroy(error) }
}
