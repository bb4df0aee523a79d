import { createHash } from 'node:crypto'
import type { Installation } from '../installation.js'
import { labels, names, selectorLabels } from '../names.js'
import type { Manifest } from './manifest.js'
import { deployment, disruptionBudget, probe } from './workload.js'

/** How long a Pod that ends still answers, while its address is taken out everywhere. */
const shutdownDelaySeconds = 15
/** How long requests under way may take after that. */
const shutdownTimeoutSeconds = 60
/** Closing the store and the sockets. */
const marginSeconds = 5

const directories = { data: '/var/lib/annex', etcd: '/etc/annex/etcd', serving: '/etc/annex/serving', crds: '/etc/annex/crds' } as const

/** The server: its Service, its Deployment, a budget of disruptions, and the definitions of further kinds. */
export function server (installation: Installation): Manifest[] {
  const { namespace, servicePort, crds } = installation
  return [
    ...Object.keys(crds).length === 0 ? [] : [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: names.crdConfigMap, namespace, labels: labels('apiserver') }, data: crds }],
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: names.server, namespace, labels: labels('apiserver') },
      spec: { selector: selectorLabels('apiserver'), ports: [{ name: 'https', port: servicePort, protocol: 'TCP', targetPort: 'https' }] }
    },
    disruptionBudget(names.server, namespace, 'apiserver'),
    serverDeployment(installation)
  ]
}

function serverDeployment (installation: Installation): Manifest {
  const { namespace, image, replicas, securePort, hostNetwork, crds } = installation
  const volumes = volumesOf(installation)
  return deployment({
    name: names.server,
    namespace,
    component: 'apiserver',
    replicas,
    container: {
      image,
      args: serverArgs(installation),
      ports: [{ name: 'https', containerPort: securePort, protocol: 'TCP' }],
      // Ready for the first time means everything, the store too.
      startupProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 150 }),
      // Afterwards a store that is away must not take the endpoints with it: without them the aggregator has no discovery of our groups,
      // and then the cluster deletes no namespace and collects no garbage. Objects are answered with 503 meanwhile.
      readinessProbe: probe('/readyz?exclude=etcd&exclude=etcd-readiness', { periodSeconds: 5, failureThreshold: 1 }),
      livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 6 }),
      resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
      volumeMounts: volumes.map(({ name, mountPath, readOnly }) => ({ name, mountPath, ...(readOnly && { readOnly }) }))
    },
    volumes: volumes.map(({ name, source }) => ({ name, ...source })),
    pod: {
      terminationGracePeriodSeconds: shutdownDelaySeconds + shutdownTimeoutSeconds + marginSeconds,
      ...(hostNetwork && { hostNetwork, dnsPolicy: 'ClusterFirstWithHostNet' })
    },
    // A ConfigMap that changes does not restart anything by itself.
    ...(Object.keys(crds).length > 0 && { podAnnotations: { 'annex.example.com/crds': digest(crds) } })
  })
}

/** The command line of the server in its Pod. */
export function serverArgs ({ namespace, securePort, etcd, serving, crds, apiserverArgs }: Installation): string[] {
  return [
    'apiserver',
    '--bind-address=0.0.0.0',
    `--secure-port=${securePort}`,
    `--data-dir=${directories.data}`,
    `--etcd-servers=${etcd.servers.join(',')}`,
    `--etcd-prefix=${etcd.prefix}`,
    ...etcd.tlsSecret === undefined ? [] : [`--etcd-cafile=${directories.etcd}/ca.crt`, `--etcd-certfile=${directories.etcd}/tls.crt`, `--etcd-keyfile=${directories.etcd}/tls.key`],
    ...serving.type === 'own'
      ? [`--serving-certificate-secret=${namespace}/${names.servingCertificateSecret}`, `--service=${namespace}/${names.server}`]
      : [`--tls-cert-file=${directories.serving}/tls.crt`, `--tls-private-key-file=${directories.serving}/tls.key`],
    ...Object.keys(crds).length === 0 ? [] : [`--crd-file=${directories.crds}`],
    `--shutdown-delay-duration=${shutdownDelaySeconds}s`,
    `--shutdown-timeout=${shutdownTimeoutSeconds}s`,
    '--v=2',
    ...apiserverArgs
  ]
}

interface Volume { readonly name: string; readonly mountPath: string; readonly readOnly: boolean; readonly source: object }

function volumesOf ({ etcd, serving, crds }: Installation): Volume[] {
  const secret = (name: string, mountPath: string, secretName: string): Volume =>
    // 0440: the key is for the group of the Pod, fsGroup.
    ({ name, mountPath, readOnly: true, source: { secret: { secretName, defaultMode: 0o440 } } })
  return [
    { name: 'data', mountPath: directories.data, readOnly: false, source: { emptyDir: { sizeLimit: '64Mi' } } },
    ...etcd.tlsSecret === undefined ? [] : [secret('etcd', directories.etcd, etcd.tlsSecret)],
    ...serving.type === 'own' ? [] : [secret('serving', directories.serving, serving.secret)],
    ...Object.keys(crds).length === 0 ? [] : [{ name: 'crds', mountPath: directories.crds, readOnly: true, source: { configMap: { name: names.crdConfigMap } } }]
  ]
}

const digest = (files: Readonly<Record<string, string>>): string => createHash('sha256').update(JSON.stringify(Object.entries(files).sort())).digest('hex').slice(0, 16)
