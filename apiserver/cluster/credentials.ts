import type { Agent } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { AgentOptions } from 'node:https'
import type { ClusterCredentials } from '../options/cluster-options.js'
import { KubeconfigCredentials } from './kubeconfig-credentials.js'

/** How to reach a kube-apiserver, and as whom, at this moment. */
export interface Credentials {
  /** Without a slash at the end. */
  readonly server: string
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<AgentOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>
  /** For a cluster behind a proxy; absent: the client's own keep-alive agent. */
  readonly agent?: Agent | undefined
}

/** Reads credentials anew; the client asks once a minute, and when a request was answered with 401. */
export interface CredentialSource {
  /** For messages: the file or the server. */
  readonly name: string
  /** @param fresh whether remembered tokens have been refused @throws Error naming the file */
  read (fresh: boolean): Promise<Credentials>
}

/** The source of what the options name. */
export function credentialSource (credentials: ClusterCredentials): CredentialSource {
  return credentials.type === 'kubeconfig' ? new KubeconfigCredentials(credentials.file) : new InClusterCredentials(credentials)
}

/** A pod's service account: the kubelet replaces the token (and the CA) long before it expires. */
export class InClusterCredentials implements CredentialSource {
  readonly #files: { readonly server: string; readonly tokenFile: string; readonly caFile: string }
  readonly name: string

  constructor (files: { readonly server: string; readonly tokenFile: string; readonly caFile: string }) {
    this.#files = files
    this.name = files.tokenFile
  }

  async read (): Promise<Credentials> {
    const { server, tokenFile, caFile } = this.#files
    const [token, ca] = await Promise.all([readText(tokenFile), readText(caFile)])
    return { server, headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } }
  }
}

async function readText (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new Error(`${file}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, { cause })
  }
}
