import type { X509Certificate } from 'node:crypto'
import { parseCertificates } from '../../certs/key-pair.js'
import type { JsonObject } from '../../registry/codec/value.js'
import type { ClusterClient } from '../cluster/client.js'
import { isClusterError } from '../cluster/errors.js'
import { Informer } from '../cluster/informer.js'
import { retry } from '../cluster/retry.js'
import type { RequestHeaderSettings } from './request-header.js'

const namespace = 'kube-system'
const name = 'extension-apiserver-authentication'
const source = `configmap ${namespace}/${name}`

type Data = Readonly<Record<string, string | undefined>>

export interface ClusterAuthenticationOptions {
  readonly client: ClusterClient
  /** Other values are in force. */
  readonly onChange: () => void
  /** A change that cannot be used, or a cluster that cannot be asked; what was there before stays in force. */
  readonly onError: (error: unknown) => void
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined
}

/** A CA bundle as text and as certificates. */
interface Bundle { readonly pem: string; readonly certificates: readonly X509Certificate[] }

/**
 * What kube-apiserver publishes for servers like this one in the ConfigMap kube-system/extension-apiserver-authentication: its client CA,
 * and the CA, names and headers of its front proxy. Read before serving and followed afterwards. A missing ConfigMap is no error, and
 * neither is a value that disappears: the last good one stays in force (k8s.io/apiserver `dynamiccertificates`, `headerrequest`).
 */
export class ClusterAuthentication {
  readonly #options: ClusterAuthenticationOptions
  readonly #informer: Informer<Data>
  #client: Bundle | undefined
  #requestHeaderCa: Bundle | undefined
  #requestHeader: RequestHeaderSettings | undefined
  #headers: Omit<RequestHeaderSettings, 'authorities'> | undefined

  constructor (options: ClusterAuthenticationOptions) {
    this.#options = options
    this.#informer = new Informer<Data>({
      client: options.client,
      path: `/api/v1/namespaces/${namespace}/configmaps`,
      fieldSelector: `metadata.name=${name}`,
      keep: object => dataOf(object),
      onChange: (changed, data) => { if (changed === name && data !== undefined && this.#use(data)) options.onChange() },
      onError: options.onError,
      backoff: options.backoff
    })
  }

  /** The authorities of users' certificates. The same array as long as it is the same bundle. */
  clientAuthorities (): readonly X509Certificate[] | undefined { return this.#client?.certificates }

  /** The front proxy; undefined until its authority is known. */
  requestHeader (): RequestHeaderSettings | undefined { return this.#requestHeader }

  /** Both bundles, for the TLS layer. */
  pems (): string[] { return [this.#client?.pem, this.#requestHeaderCa?.pem].filter(pem => pem !== undefined) }

  /** Reads the ConfigMap. @throws ClusterError unless it is just missing */
  async load (): Promise<void> {
    try {
      const found = await retry(() => this.#options.client.json<JsonObject>({ method: 'GET', path: `/api/v1/namespaces/${namespace}/configmaps/${name}` }))
      this.#use(dataOf(found))
    } catch (error) {
      if (isClusterError(error, 404)) return
      if (isClusterError(error, 403)) {
        throw new Error(`unable to read ${source}: ${(error as Error).message}. Usually fixed by 'kubectl create rolebinding -n ${namespace} ROLEBINDING_NAME --role=extension-apiserver-authentication-reader --serviceaccount=YOUR_NS:YOUR_SA'`, { cause: error })
      }
      throw new Error(`unable to read ${source}: ${(error as Error).message}`, { cause: error })
    }
  }

  /** Follows the ConfigMap from now on. */
  start (): void { this.#informer.start() }

  stop (): Promise<void> { return this.#informer.stop() }

  get hasSynced (): boolean { return this.#informer.hasSynced }

  /** @returns whether anything differs */
  #use (data: Data): boolean {
    const before = [this.#client, this.#requestHeader]
    this.#client = this.#bundle(data, 'client-ca-file', this.#client)
    const ca = this.#bundle(data, 'requestheader-client-ca-file', this.#requestHeaderCa)
    const headers = this.#readHeaders(data)
    if (ca !== undefined && headers !== undefined && (ca !== this.#requestHeaderCa || headers !== this.#headers)) this.#requestHeader = { authorities: ca.certificates, ...headers }
    this.#requestHeaderCa = ca
    this.#headers = headers
    return this.#client !== before[0] || this.#requestHeader !== before[1]
  }

  #bundle (data: Data, key: string, present: Bundle | undefined): Bundle | undefined {
    const pem = data[key]
    if (pem === undefined || pem === '' || pem === present?.pem) return present
    try {
      return { pem, certificates: parseCertificates(pem, `${source}: ${key}`) }
    } catch (error) {
      this.#options.onError(error)
      return present
    }
  }

  #readHeaders (data: Data): Omit<RequestHeaderSettings, 'authorities'> | undefined {
    try {
      const found = {
        allowedNames: strings(data, 'requestheader-allowed-names'),
        usernameHeaders: strings(data, 'requestheader-username-headers'),
        uidHeaders: strings(data, 'requestheader-uid-headers'),
        groupHeaders: strings(data, 'requestheader-group-headers'),
        extraHeaderPrefixes: strings(data, 'requestheader-extra-headers-prefix')
      }
      return JSON.stringify(found) === JSON.stringify(this.#headers) ? this.#headers : found
    } catch (error) {
      this.#options.onError(error)
      return this.#headers
    }
  }
}

const dataOf = (object: JsonObject): Data => (object['data'] ?? {}) as Data

/** A JSON array of strings; an absent value is an empty one. @throws Error naming the key */
function strings (data: Data, key: string): readonly string[] {
  const text = data[key]
  if (text === undefined || text === '') return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new Error(`${source}: ${key}: ${(cause as Error).message}`, { cause })
  }
  if (value === null) return []
  if (!Array.isArray(value) || value.some(v => typeof v !== 'string')) throw new Error(`${source}: ${key}: must be a list of strings`)
  return value as string[]
}
