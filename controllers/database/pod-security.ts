/** The user and group of the server in all three official images. */
const user = 999

/** What the Pod Security Standard `restricted` asks of a pod. The group owns its volumes. */
export const podSecurity = Object.freeze({
  runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user, fsGroupChangePolicy: 'OnRootMismatch', seccompProfile: Object.freeze({ type: 'RuntimeDefault' })
})

/** And of a container; its root file system cannot be written, either. */
export const containerSecurity = Object.freeze({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: Object.freeze({ drop: Object.freeze(['ALL']) }) })
