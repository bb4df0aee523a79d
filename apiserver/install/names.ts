/** Names of what `annex install` makes. One installation per cluster: APIServices are cluster-wide and there is one of each group version. */
export const names = {
  /** The Service, the Deployment of the server and its ServiceAccount. */
  server: 'annex',
  controllerManager: 'annex-controller-manager',
  /** Made and kept by the server itself, not by install. */
  servingCertificateSecret: 'annex-serving',
  crdConfigMap: 'annex-crds',
  /** Cluster-scoped objects are `annex:…`. */
  prefix: 'annex',
  /** The field manager of server-side apply, and the value of the managed-by label. */
  fieldManager: 'annex-install',
  /** The managed-by label of what the server makes when it runs. */
  madeByServer: 'annex',
  /** The role of kube-system that lets an API server read how users and the front proxy are authenticated. */
  authenticationReader: 'extension-apiserver-authentication-reader'
} as const

export const managedByLabel = 'app.kubernetes.io/managed-by'
/** Selects everything that install has made. */
export const managedBySelector = `${managedByLabel}=${names.fieldManager}`

export type Component = 'apiserver' | 'controller-manager'

/** What a Deployment selects its Pods by; never changes, for a Deployment's selector cannot. */
export const selectorLabels = (component: Component): Record<string, string> => ({ 'app.kubernetes.io/name': 'annex', 'app.kubernetes.io/component': component })

export const labels = (component?: Component): Record<string, string> => ({
  'app.kubernetes.io/name': 'annex',
  ...(component !== undefined && { 'app.kubernetes.io/component': component }),
  [managedByLabel]: names.fieldManager
})
