import type { ServedGroup } from './served-groups.js'

/** What the serving certificate of the server is. */
export type ServingCertificate =
  /** The server makes it, keeps it in a Secret that its replicas share, renews it, and keeps the caBundle of its APIServices right. */
  | { readonly type: 'own' }
  /** A Secret of type kubernetes.io/tls that somebody else looks after. */
  | { readonly type: 'secret'; readonly secret: string; readonly trust: { readonly type: 'caBundle'; readonly pem: string } | { readonly type: 'certManager'; readonly certificate: string } }

/** Everything that the manifests say, checked. */
export interface Installation {
  readonly namespace: string
  readonly image: string
  readonly replicas: number
  /** Of the Service. */
  readonly servicePort: number
  /** Of the Pods. */
  readonly securePort: number
  readonly hostNetwork: boolean
  readonly etcd: {
    readonly servers: readonly string[]
    readonly prefix: string
    /** With `ca.crt`, `tls.crt` and `tls.key`. */
    readonly tlsSecret: string | undefined
  }
  readonly serving: ServingCertificate
  readonly groups: readonly ServedGroup[]
  /** CustomResourceDefinition manifests by file name. */
  readonly crds: Readonly<Record<string, string>>
  /** Resources of the cluster that metrics may be about, as `deployments.apps`. */
  readonly describedResources: readonly string[]
  /** Further flags of the server. */
  readonly apiserverArgs: readonly string[]
  readonly controllerManager: boolean
}

