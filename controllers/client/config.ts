import type { SecureContextOptions } from 'node:tls'
import { readFile } from 'node:fs/promises'

/** How to reach an API server, and as whom. */
export interface ClientConfig {
  /** `https://host:port`, perhaps with a path in front of `/api`. */
  readonly server: string
  /** What the server's certificate is verified against; Node's own list otherwise. */
  readonly caPem?: string | undefined
  readonly certPem?: string | undefined
  readonly keyPem?: string | undefined
  readonly token?: string | undefined
  /** A token that is replaced now and then, as in a pod. Read again every minute. */
  readonly tokenFile?: string | undefined
  /** The name to expect in the certificate, if it is not the host's. */
  readonly serverName?: string | undefined
}

/** What one request needs beside itself. */
export interface Credentials {
  readonly tls: Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> & { readonly servername?: string; readonly rejectUnauthorized?: boolean }
  readonly headers: Readonly<Record<string, string>>
}

/** An API server and a source of credentials that may change while we run. */
export interface Connection {
  readonly server: string
  /** The present credentials. `refresh` after the server refused the ones before. */
  credentials (options?: { readonly refresh?: boolean }): Promise<Credentials>
}

const refreshAfterMs = 60_000

/** A connection with fixed credentials, or with a token from a file. */
export function connectionOf (config: ClientConfig): Connection {
  const { server, caPem, certPem, keyPem, token, tokenFile, serverName } = config
  const tls = { ...(caPem !== undefined && { ca: caPem }), ...(certPem !== undefined && { cert: certPem }), ...(keyPem !== undefined && { key: keyPem }), ...(serverName !== undefined && { servername: serverName }) }
  const bearer = (value: string | undefined): Credentials => ({ tls, headers: value === undefined ? {} : { authorization: `Bearer ${value}` } })
  if (tokenFile === undefined) {
    const fixed = bearer(token)
    return { server, credentials: async () => fixed }
  }
  return { server, credentials: cached(async () => bearer((await readFile(tokenFile, 'utf8')).trim())) }
}

/**
 * The connection of a kubeconfig's current context, with everything that client-node can authenticate by (certificates, tokens, exec
 * plugins, OIDC). Without a path: `$KUBECONFIG`, `~/.kube/config`, or the service account of the pod we are in. client-node is loaded only now.
 * @throws Error if there is no current cluster
 */
export async function loadKubeconfig (path?: string): Promise<Connection> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const kubeconfig = new KubeConfig()
  if (path === undefined) kubeconfig.loadFromDefault()
  else kubeconfig.loadFromFile(path)
  const cluster = kubeconfig.getCurrentCluster()
  if (cluster === null) throw new Error(`no current cluster in the kubeconfig${path === undefined ? '' : ` ${path}`}`)
  return {
    server: cluster.server,
    credentials: cached(async () => {
      const options: Parameters<typeof kubeconfig.applyToHTTPSOptions>[0] & { headers?: unknown, auth?: string | null } = {}
      await kubeconfig.applyToHTTPSOptions(options)
      const { ca, cert, key } = options
      const { servername, rejectUnauthorized } = options as { servername?: string, rejectUnauthorized?: boolean }
      return {
        tls: { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }), ...(servername !== undefined && { servername }), ...(rejectUnauthorized !== undefined && { rejectUnauthorized }) },
        headers: {
          ...(typeof options.auth === 'string' && { authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` }),
          ...options.headers as Record<string, string> | undefined
        }
      }
    })
  }
}

/** Asks again after a minute, or when told that the last answer was refused. */
function cached (ask: () => Promise<Credentials>): Connection['credentials'] {
  let answer: Promise<Credentials> | undefined
  let askedAtMs = 0
  return async ({ refresh = false } = {}) => {
    const now = performance.now()
    if (answer === undefined || refresh || now - askedAtMs > refreshAfterMs) {
      askedAtMs = now
      const asked = answer = ask()
      // A failure is not kept.
      asked.catch(() => { if (answer === asked) answer = undefined })
    }
    return await answer
  }
}
