import { setMaxListeners } from 'node:events'
import { noop } from 'cockatiel'
import { Etcd3, type IDuplexStream, type IOptions, type IWatchRequest, type IWatchResponse, type KVClient, type WatchClient } from 'etcd3'
import { StorageError } from '../errors.js'
import { describeFailure, toStorageError, type CallFailure } from './errors.js'
import { endpointAddress, type Etcd3StorageOptions } from './options.js'
import { TlsFiles, type TlsCredentials } from './tls-files.js'
import { UnaryClient, type UnaryOptions } from './unary-client.js'

/** Options of one gRPC call; here always with a deadline. */
export type CallOptions = NonNullable<Parameters<KVClient['range']>[1]>

/** The watch stream; at run time it is a Node stream in object mode. */
export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse> & { pause (): void; resume (): void }

/** A write whose request may have reached etcd and whose answer did not come back. */
export class UnsettledWrite extends Error {
  override readonly name = 'UnsettledWrite'
  readonly failure: CallFailure

  constructor (failure: CallFailure) {
    super(failure.details, { cause: failure.cause })
    this.failure = failure
  }
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
  /** Over all attempts. Default `requestTimeoutMs`. */
  readonly timeoutMs?: number
}

/** One etcd member. Watches have a TCP connection of their own: big replies on a shared one starve watches (etcd issue 15402). */
export interface Member {
  readonly endpoint: string
  /** Reads and writes of keys, which is nearly all there is. */
  readonly kv: UnaryClient
  /** Everything else. */
  readonly requests: Etcd3
  readonly watches: Etcd3
}

const defaultRequestTimeoutMs = 10_000
const defaultCertReloadIntervalMs = 10_000
const longestReadRetryPauseMs = 400

/**
 * Calls etcd: keys over a small client of our own, watches and the rest over the `etcd3` package, whose own fault handling (which resends
 * writes and opens circuit breakers) is switched off.
 * One member is used until it fails, then the next. Reads are tried again a few times; a write is sent once.
 */
export class EtcdClient {
  readonly endpoints: readonly string[]
  readonly requestTimeoutMs: number
  readonly #addresses: readonly string[]
  readonly #tls: TlsFiles | undefined
  readonly #closing = new AbortController()
  readonly #reloadListeners = new Set<() => void>()
  #members: Member[]
  #preferred: number

  private constructor (options: Etcd3StorageOptions, addresses: readonly string[], tls: TlsFiles | undefined) {
    this.endpoints = options.endpoints
    this.requestTimeoutMs = options.requestTimeoutMs ?? defaultRequestTimeoutMs
    this.#addresses = addresses
    this.#tls = tls
    // As many listeners as there are calls that pause; Node would warn of the eleventh.
    setMaxListeners(0, this.#closing.signal)
    this.#members = this.#connect()
    // Replicas of a server should not all use the first member.
    this.#preferred = Math.floor(Math.random() * addresses.length)
    tls?.watch(options.certReloadIntervalMs ?? defaultCertReloadIntervalMs, () => { this.#reconnect() })
  }

  /** Needs no etcd to be there. @throws StorageError Unavailable if the endpoints are no URLs or the TLS files cannot be used */
  static async open (options: Etcd3StorageOptions): Promise<EtcdClient> {
    if (options.endpoints.length === 0) throw new StorageError('Unavailable', 'no etcd endpoint is configured')
    let addresses: string[]
    try {
      addresses = options.endpoints.map(endpointAddress)
    } catch (error) {
      throw new StorageError('Unavailable', `the etcd endpoints ${options.endpoints.join(', ')} cannot be used: ${(error as Error).message}`, { cause: error })
    }
    return new EtcdClient(options, addresses, await TlsFiles.load(options))
  }

  /** Aborted when the client closes. */
  get closing (): AbortSignal {
    return this.#closing.signal
  }

  /**
   * Makes a call that may be made more than once, on another member if there is one, until its timeout.
   * @throws StorageError Compacted, FutureRevision, Unavailable, Aborted, Closed
   */
  async read<T> (call: (member: Member, options: UnaryOptions) => Promise<T>, { signal, timeoutMs = this.requestTimeoutMs }: ReadOptions = {}): Promise<T> {
    const until = Date.now() + timeoutMs
    const lastAttempt = this.#members.length + 4
    for (let attempt = 1; ; attempt++) {
      this.#assertUsable(signal)
      const member = this.#member()
      const left = until - Date.now()
      // With somewhere else to go, a member that does not answer at all gets only half of the time.
      const share = this.#members.length > 1 && attempt < lastAttempt ? left / 2 : left
      try {
        return await this.#abortable(call(member, { deadline: Date.now() + share }), signal)
      } catch (error) {
        if (error instanceof StorageError) throw error
        const failure = describeFailure(error)
        this.#moveOn(member)
        const pause = attempt < this.#members.length ? 0 : Math.min(longestReadRetryPauseMs, 25 * 2 ** attempt)
        if (failure.kind === 'refused' || attempt >= lastAttempt || Date.now() + pause >= until) throw toStorageError(failure, this.endpoints)
        if (pause > 0) await this.sleep(pause, signal)
      }
    }
  }

  /**
   * Sends a write once. Only a request that certainly was not sent (nobody listens there) goes to the next member.
   * @throws StorageError TooLarge, NoSpace, Unavailable, Closed: the write did not happen. UnsettledWrite: it may have.
   */
  async write<T> (call: (member: Member, options: UnaryOptions) => Promise<T>): Promise<T> {
    const deadline = Date.now() + this.requestTimeoutMs
    const lastAttempt = this.#members.length + 1
    for (let attempt = 1; ; attempt++) {
      this.#assertUsable()
      const member = this.#member()
      try {
        return await call(member, { deadline })
      } catch (error) {
        const failure = describeFailure(error)
        if (failure.kind === 'unknown') throw new UnsettledWrite(failure)
        this.#moveOn(member)
        if (failure.kind === 'refused' || attempt >= lastAttempt || Date.now() >= deadline) throw toStorageError(failure, this.endpoints)
      }
    }
  }

  /**
   * Opens a watch stream that ends when its member loses its leader, and says which version answers there. One attempt.
   * @throws CallFailure's cause: whatever the etcd client rejects with
   */
  async openWatch (): Promise<{ stream: WatchStream; version: string }> {
    this.#assertUsable()
    const member = this.#member()
    try {
      const { version } = await member.watches.maintenance.status({ deadline: Date.now() + this.requestTimeoutMs }).catch((error: unknown) => {
        // Whoever may not ask is served like by an old version.
        if (describeFailure(error).kind === 'refused') return { version: '' }
        throw error
      })
      this.#assertUsable()
      return { stream: await member.watches.watchClient.watch(requireLeader) as WatchStream, version }
    } catch (error) {
      this.#moveOn(member)
      throw error
    }
  }

  /** Calls back when new certificates are in use, so that streams can move to a new connection. Answers how to stop that. */
  onReload (listener: () => void): () => void {
    this.#reloadListeners.add(listener)
    return () => { this.#reloadListeners.delete(listener) }
  }

  /** @throws StorageError Aborted, Closed */
  async sleep (ms: number, signal?: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    try {
      await this.#abortable(new Promise<void>(resolve => { timer = setTimeout(resolve, ms) }), signal, this.#closing.signal)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Idempotent. Calls under way still get their answers. */
  close (): void {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#tls?.close()
    disconnect(this.#members)
  }

  #assertUsable (signal?: AbortSignal): void {
    if (this.#closing.signal.aborted) throw newClosed()
    if (signal?.aborted === true) throw newAborted(signal)
  }

  #member (): Member {
    const member = this.#members[this.#preferred % this.#members.length]
    if (member === undefined) throw newClosed()
    return member
  }

  /** Another call may have moved on from the failed member already. */
  #moveOn (failed: Member): void {
    if (this.#member() === failed) this.#preferred = (this.#preferred + 1) % this.#members.length
  }

  #connect (): Member[] {
    return this.#addresses.map(address => ({
      endpoint: address,
      kv: new UnaryClient(address, this.#tls?.credentials),
      requests: new Etcd3(clientOptions(address, this.#tls?.credentials)),
      watches: new Etcd3(clientOptions(address, this.#tls?.credentials))
    }))
  }

  #reconnect (): void {
    const old = this.#members
    this.#members = this.#connect()
    disconnect(old)
    for (const listener of this.#reloadListeners) listener()
  }

  /** Rejects as soon as a signal is aborted; the call itself runs on to its deadline, because cancelling it would close the connection. */
  async #abortable<T> (promise: Promise<T>, ...signals: Array<AbortSignal | undefined>): Promise<T> {
    const present = signals.filter(signal => signal !== undefined)
    if (present.length === 0) return await promise
    let abort: (() => void) | undefined
    const aborted = new Promise<never>((_resolve, reject) => {
      abort = () => { reject(this.#closing.signal.aborted ? newClosed() : newAborted(present.find(signal => signal.aborted))) }
      for (const signal of present) signal.addEventListener('abort', abort, { once: true })
    })
    try {
      return await Promise.race([promise, aborted])
    } finally {
      if (abort !== undefined) for (const signal of present) signal.removeEventListener('abort', abort)
    }
  }
}

export function newClosed (): StorageError {
  return new StorageError('Closed', 'the storage was closed')
}

function newAborted (signal: AbortSignal | undefined): StorageError {
  return new StorageError('Aborted', 'the caller stopped waiting', { cause: signal?.reason })
}

function disconnect (members: readonly Member[]): void {
  for (const member of members) {
    member.kv.close()
    member.requests.close()
    member.watches.close()
  }
}

function clientOptions (address: string, credentials: TlsCredentials | undefined): IOptions {
  return {
    hosts: [address],
    ...(credentials !== undefined && address.startsWith('https:') && { credentials }),
    faultHandling: { host: () => noop, global: noop },
    grpcOptions: {
      // The etcd client makes a new channel after every failure. With connections shared between channels, that one would find the
      // address in backoff, and say neither why nor when it is back.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.max_receive_message_length': -1,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // Whether something may be sent again is decided in this file only.
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1
    }
  }
}

type WatchCallOptions = NonNullable<Parameters<WatchClient['watch']>[0]>
type Interceptor = NonNullable<WatchCallOptions['interceptors']>[number]

/** A watch on a member that is cut off from its quorum would be silent for ever; with this header etcd ends the stream instead. */
const requireLeader: WatchCallOptions = {
  interceptors: [(options, nextCall) => {
    const call = nextCall(options)
    const start = call.start.bind(call)
    call.start = (metadata, listener) => {
      metadata.set('hasleader', 'true')
      start(metadata, listener)
    }
    return call as ReturnType<Interceptor>
  }]
}
