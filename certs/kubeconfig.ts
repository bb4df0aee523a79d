import { writeFileIfChanged } from './atomic-file.js'
import type { KeyPair } from './key-pair.js'

export interface KubeconfigOptions {
  readonly path: string
  /** `https://127.0.0.1:8443` */
  readonly server: string
  readonly certificateAuthorityPem: string
  readonly client: KeyPair
  /** Name of the cluster and the context; default `annex`. */
  readonly clusterName?: string | undefined
  /** Name of the user entry; default `annex-admin`. */
  readonly userName?: string | undefined
  /** Verify the server under this name instead of the one in its URL. */
  readonly tlsServerName?: string | undefined
}

/**
 * Writes a kubeconfig (v1 Config) with everything embedded, mode 0600, atomically; a file that says the same already is left alone.
 * @returns whether it was written
 * @throws CertificateError Unreadable, naming the file
 */
export function writeKubeconfig (options: KubeconfigOptions): Promise<boolean> {
  return writeFileIfChanged(options.path, kubeconfigText(options), 0o600)
}

/** The text of such a kubeconfig. */
export function kubeconfigText (options: Omit<KubeconfigOptions, 'path'>): string {
  const cluster = JSON.stringify(options.clusterName ?? 'annex')
  const user = JSON.stringify(options.userName ?? 'annex-admin')
  // JSON's strings are YAML's too. A writer of all of YAML is loaded for longer than a server may take to start.
  return `apiVersion: v1
kind: Config
clusters:
  - name: ${cluster}
    cluster:
      certificate-authority-data: ${base64(options.certificateAuthorityPem)}
      server: ${JSON.stringify(options.server)}${options.tlsServerName === undefined ? '' : `\n      tls-server-name: ${JSON.stringify(options.tlsServerName)}`}
users:
  - name: ${user}
    user:
      client-certificate-data: ${base64(options.client.certificatePem)}
      client-key-data: ${base64(options.client.privateKeyPem)}
contexts:
  - name: ${cluster}
    context:
      cluster: ${cluster}
      user: ${user}
current-context: ${cluster}
`
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
