import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Who takes connections. */
export interface Taker {
  /** Whether it can be asked at all; one that is not ready, or has ended, cannot. */
  readonly accepting: boolean
  /** It ends soon: it is asked only if all others end too. */
  readonly draining: boolean
  /** Hands a connection over. Answers whether it was taken; false too if the taker is gone. */
  hand (socket: Socket): Promise<boolean>
}

/** How many connections wait for a taker; those beyond are closed. */
const maxWaiting = 1_024

/**
 * The port that workers share. Connections are accepted here and handed to the workers in turn, one at a time each: one that is busy or
 * stuck gets no further connection until it has taken the last. Until then the socket is held here too, so that a connection whose worker
 * dies is given to another one. (node:cluster forgets such a connection, and its client waits for ever.)
 */
export class SharedPort {
  /** In the order in which they are asked next. */
  readonly #takers: Taker[] = []
  readonly #busy = new Set<Taker>()
  readonly #waiting: Socket[] = []
  #server: Server | undefined

  /** @returns the port @throws Error as node:net's, such as EADDRINUSE */
  async listen ({ bindAddress, port }: { bindAddress: string; port: number }): Promise<number> {
    if (this.#server === undefined) {
      // Nothing is read here: the first byte is the worker's.
      const server = createServer({ pauseOnConnect: true, noDelay: true }, socket => { this.#accept(socket) })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host: bindAddress, port }, resolve)
      })
      // What fails later (no file descriptors left) concerns one connection.
      server.removeAllListeners('error').on('error', () => {})
      this.#server = server
    }
    return (this.#server.address() as AddressInfo).port
  }

  add (taker: Taker): void {
    this.#takers.push(taker)
    this.#next()
  }

  remove (taker: Taker): void {
    const at = this.#takers.indexOf(taker)
    if (at >= 0) this.#takers.splice(at, 1)
  }

  /** Nobody is accepted any more; those who wait are closed. */
  close (): void {
    this.#server?.close()
    for (const socket of this.#waiting.splice(0)) socket.destroy()
  }

  #accept (socket: Socket): void {
    if (this.#waiting.length >= maxWaiting) {
      socket.destroy()
      return
    }
    socket.on('error', () => {})
    this.#waiting.push(socket)
    this.#next()
  }

  #next (): void {
    while (this.#waiting.length > 0) {
      const taker = this.#free()
      if (taker === undefined) return
      void this.#hand(this.#waiting.shift()!, taker)
    }
  }

  #free (): Taker | undefined {
    const able = this.#takers.filter(t => t.accepting)
    const staying = able.filter(t => !t.draining)
    return (staying.length > 0 ? staying : able).find(t => !this.#busy.has(t))
  }

  async #hand (socket: Socket, taker: Taker): Promise<void> {
    this.#busy.add(taker)
    if (this.#takers.includes(taker)) {
      this.remove(taker)
      this.#takers.push(taker)
    }
    const taken = await taker.hand(socket)
    this.#busy.delete(taker)
    // Only this process's hold of it: the worker has its own.
    if (taken) socket.destroy()
    else this.#waiting.unshift(socket)
    this.#next()
  }
}
