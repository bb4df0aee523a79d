import type { StorageErrorCode } from '../errors.js'

/** What an operation is called in `onRequest`; the names are those of Kubernetes' `etcd_request_duration_seconds`, and a few of our own. */
export type EtcdOperation = 'get' | 'list' | 'create' | 'update' | 'delete' | 'compact' | 'currentRevision' | 'health' | 'readBack' | 'progress'

/** How to reach etcd; every field but `endpoints` has a default. */
export interface Etcd3StorageOptions {
  /** `http://host:port` or `https://host:port` of each member. Requests go to one member and move on to the next when it fails. */
  readonly endpoints: readonly string[]
  /**
   * Where the storage's own reads go (`<prefix>/health`), which matters only if etcd's users are limited to a prefix. Default `/registry`.
   * It is not put before callers' keys: those are absolute.
   */
  readonly prefix?: string | undefined
  /** PEM files. They are read again when they change, and new connections then use the new content. */
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  /** How often the PEM files are looked at. Default 10 s. */
  readonly certReloadIntervalMs?: number | undefined
  /** How long `open` waits with `waitForReady`. Default 20 s. */
  readonly dialTimeoutMs?: number | undefined
  /** The deadline of one request, and again of reading back a write whose outcome is not known. Default 10 s. */
  readonly requestTimeoutMs?: number | undefined
  /** How often history is compacted to where it stood one interval ago; 0 leaves that to others. Default 5 minutes. */
  readonly compactionIntervalMs?: number | undefined
  /** Refuse larger values without sending them. By default etcd's own limit decides (`--max-request-bytes`, 1.5 MiB). */
  readonly maxRequestBytes?: number | undefined
  /** Make `open` wait until etcd answers and reject with `Unavailable` if it does not. By default `open` needs no etcd. */
  readonly waitForReady?: boolean | undefined
  /** Whether nobody else can have written exactly these bytes; see outcome.ts, whose `hasOwnUid` is the default. */
  readonly provesAuthorship?: ((operation: 'create' | 'update', value: Buffer) => boolean) | undefined
  /** Called after every operation, for metrics. Must not throw. */
  readonly onRequest?: ((operation: EtcdOperation, durationMs: number, error?: StorageErrorCode) => void) | undefined
}

/** The address that the etcd client takes (`host:port` after the scheme), from what a person typed. @throws TypeError if it is not a URL of http or https */
export function endpointAddress (endpoint: string): string {
  const url = new URL(endpoint.includes('://') ? endpoint : `http://${endpoint}`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`etcd endpoint ${endpoint}: the scheme must be http or https`)
  const port = url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80'
  return `${url.protocol}//${url.hostname}:${port}`
}
