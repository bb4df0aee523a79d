import { createHash } from 'node:crypto'
import type { DesiredChild } from '../children/apply-child.js'
import type { Workload } from '../children/types.js'
import { engines } from './engines/engines.js'
import type { Container, Engine, Volume, VolumeMount } from './engines/engine.js'
import type { DatabaseModel, StorageWish } from './model.js'
import type { DatabaseNames } from './names.js'
import { containerSecurity, podSecurity } from './pod-security.js'
import type { DatabaseSettings } from './settings.js'

export interface ClaimTemplate {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> }
  spec: { accessModes?: string[]; storageClassName?: string; resources?: { requests?: Record<string, string> }; [field: string]: unknown }
  [field: string]: unknown
}

export interface StatefulSet extends Workload {
  spec?: {
    replicas?: number
    serviceName?: string
    template?: { metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> }; spec?: { containers?: { name: string; image?: string; [field: string]: unknown }[]; [field: string]: unknown } }
    volumeClaimTemplates?: ClaimTemplate[]
    [field: string]: unknown
  }
  status?: NonNullable<Workload['status']> & { currentRevision?: string; updateRevision?: string }
}

export interface StatefulSetInputs {
  readonly names: DatabaseNames
  readonly model: DatabaseModel
  readonly settings: Pick<DatabaseSettings, 'cpu' | 'memory'>
  readonly image: string
  readonly configText: string
  /** Of the claims to come; that of an existing StatefulSet cannot change. */
  readonly storage: StorageWish
  /** Whether the exporter runs beside the server. */
  readonly exporter: boolean
}

/** The instances: each with a volume of its own, all started at once, updated one after the other. */
export function desiredStatefulSet (inputs: StatefulSetInputs): DesiredChild<StatefulSet> {
  const { names, model, storage } = inputs
  const engine = engines[model.engine]
  const labels = names.labels(model.engine, 'database')
  return {
    metadata: { name: names.base, labels, annotations: { ...names.annotations } },
    spec: {
      replicas: model.replicas,
      serviceName: names.headlessService,
      // One that does not start must not keep the others from it.
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'RollingUpdate' },
      selector: { matchLabels: { ...names.selector } },
      template: {
        metadata: {
          labels,
          annotations: {
            ...names.annotations,
            // Servers read their settings when they start.
            [`${names.group}/config-hash`]: createHash('sha256').update(inputs.configText).digest('hex').slice(0, 16),
            ...(inputs.exporter && { 'prometheus.io/scrape': 'true', 'prometheus.io/port': String(engine.exporter.port) })
          }
        },
        spec: {
          securityContext: { ...podSecurity },
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          // Two minutes to write what is in memory.
          terminationGracePeriodSeconds: 120,
          topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { ...names.selector } } }],
          containers: [serverOf(inputs, engine), ...(inputs.exporter ? [exporterOf(inputs, engine)] : [])],
          volumes: [{ name: 'config', configMap: { name: names.config } }, ...scratchOf(engine).volumes]
        }
      },
      volumeClaimTemplates: [claimTemplate(names, storage, labels)]
    }
  }
}

/** Claims say by a label whose data they hold, and have no owner: whether they stay is for the deletion policy to say. */
function claimTemplate (names: DatabaseNames, { size, storageClass }: StorageWish, labels: Record<string, string>): ClaimTemplate {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', labels, annotations: { ...names.annotations } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...(storageClass !== undefined && { storageClassName: storageClass }) }
  }
}

function serverOf ({ names, model, settings, image }: StatefulSetInputs, engine: Engine): Container {
  const { args, env, volumeMounts } = engine.container({ secretName: names.credentials })
  return {
    name: 'database',
    image,
    ...(args !== undefined && { args }),
    env,
    ports: [{ name: model.engine, containerPort: engine.port, protocol: 'TCP' }],
    resources: { requests: { cpu: settings.cpu, memory: settings.memory }, limits: { memory: settings.memory } },
    securityContext: containerSecurity,
    ...engine.probes,
    volumeMounts: [...volumeMounts, ...scratchOf(engine).mounts]
  }
}

function exporterOf ({ names }: StatefulSetInputs, { exporter }: Engine): Container {
  return {
    name: 'exporter',
    image: exporter.image,
    ...(exporter.args !== undefined && { args: exporter.args }),
    env: exporter.env({ secretName: names.credentials }),
    ports: [{ name: 'metrics', containerPort: exporter.port, protocol: 'TCP' }],
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
    securityContext: containerSecurity
  }
}

function scratchOf ({ scratch, sharedMemory }: Engine): { volumes: Volume[], mounts: VolumeMount[] } {
  const named = scratch.map((mountPath, i) => ({ name: `scratch-${i}`, mountPath }))
  return {
    volumes: [...named.map(({ name }) => ({ name, emptyDir: {} })), ...(sharedMemory === undefined ? [] : [{ name: 'shared-memory', emptyDir: { medium: 'Memory', sizeLimit: sharedMemory } }])],
    mounts: [...named, ...(sharedMemory === undefined ? [] : [{ name: 'shared-memory', mountPath: '/dev/shm' }])]
  }
}
