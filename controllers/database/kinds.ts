import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import { childKind, type ChildKind } from '../children/child-kind.js'
import { eventIndexers } from '../children/problem-of-workload.js'
import type { CoreEvent, PersistentVolumeClaim, Pod } from '../children/types.js'
import type { ResourceClient } from '../client/interfaces.js'
import type { RestClient } from '../client/rest-client.js'
import type { Clock } from '../clock.js'
import { Informer } from '../informer/informer.js'
import type { Logger } from '../logger.js'
import type { CronJob } from './desired-backup.js'
import type { ConfigMap } from './desired-config-map.js'
import type { Service } from './desired-services.js'
import type { StatefulSet } from './desired-stateful-set.js'
import type { DatabaseAdapter } from './model.js'
import type { DatabaseNames } from './names.js'

export interface StorageClass extends KubeObject { allowVolumeExpansion?: boolean }

/** A kind that is read from a cache and written, but not owned. */
export interface CachedKind<T extends KubeObject> { readonly client: ResourceClient<T>; readonly informer: Informer<T> }

/** What both groups' operators read, cached once. */
export interface SharedKinds {
  readonly storageClasses: Informer<StorageClass>
  /** Why StatefulSets get no pods and claims no volumes; StatefulSets have no conditions. */
  readonly events: readonly Informer<CoreEvent>[]
}

/** Everything that one group's operator reads and writes. All but the Databases carry the group's label; nothing else is cached. */
export interface DatabaseKinds extends SharedKinds {
  readonly databases: CachedKind<KubeObject>
  readonly configMaps: ChildKind<ConfigMap>
  readonly services: ChildKind<Service>
  readonly statefulSets: ChildKind<StatefulSet>
  readonly cronJobs: ChildKind<CronJob>
  readonly customMetrics: ChildKind<CustomMetric>
  /** Not cached: to watch Secrets takes the right to read them all. */
  readonly secrets: ResourceClient<KubeObject>
  readonly claims: CachedKind<PersistentVolumeClaim>
  readonly pods: CachedKind<Pod>
}

export interface KindsOptions { readonly client: RestClient; readonly namespace?: string | undefined; readonly log?: Logger; readonly clock?: Clock }

export function sharedKinds ({ client, namespace, ...options }: KindsOptions): SharedKinds {
  const events = client.resource<CoreEvent>({ group: '', version: 'v1', resource: 'events' })
  const failures = [['FailedCreate', 'StatefulSet'], ['ProvisioningFailed', 'PersistentVolumeClaim']] as const
  return {
    storageClasses: new Informer<StorageClass>({ source: client.resource<StorageClass>({ group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' }), ...options }),
    events: failures.map(([reason, kind]) => new Informer<CoreEvent>({ source: events, namespace, fieldSelector: `reason=${reason},involvedObject.kind=${kind}`, indexers: eventIndexers, ...options }))
  }
}

/** The index `database` holds what carries the group's label, by namespace and label value. */
export function databaseKinds ({ group, version }: DatabaseAdapter, shared: SharedKinds, { client, namespace, ...options }: KindsOptions): DatabaseKinds {
  const label = `${group}/database`
  const select = { namespace, labelSelector: label }
  const indexers = { database: ({ metadata }: KubeObject) => [`${metadata.namespace ?? ''}/${metadata.labels?.[label] ?? ''}`] }
  const child = <T extends KubeObject>(group: string, version: string, resource: string, kind: string): ChildKind<T> => childKind<T>({ client, gvr: { group, version, resource }, kind, ...select, ...options })
  const cached = <T extends KubeObject>(resource: string): CachedKind<T> => {
    const source = client.resource<T>({ group: '', version: 'v1', resource })
    return { client: source, informer: new Informer<T>({ source, indexers, ...select, ...options }) }
  }
  const databases = client.resource({ group, version, resource: 'databases' })
  return {
    ...shared,
    databases: { client: databases, informer: new Informer({ source: databases, namespace, ...options }) },
    configMaps: child('', 'v1', 'configmaps', 'ConfigMap'),
    services: child('', 'v1', 'services', 'Service'),
    statefulSets: child('apps', 'v1', 'statefulsets', 'StatefulSet'),
    cronJobs: child('batch', 'v1', 'cronjobs', 'CronJob'),
    customMetrics: child('metrics.example.com', 'v1alpha1', 'custommetrics', 'CustomMetric'),
    secrets: client.resource({ group: '', version: 'v1', resource: 'secrets' }),
    claims: cached('persistentvolumeclaims'),
    pods: cached('pods')
  }
}

/** What of a kind carries the label of a Database, whoever made it. */
export const labelled = <T extends KubeObject>({ informer }: Pick<CachedKind<T>, 'informer'>, { namespace, base }: DatabaseNames): T[] => informer.lister.byIndex('database', `${namespace}/${base}`)

/** Whether an object says that it is of exactly this Database, not of an earlier one of the same name. */
export const carriesUidOf = ({ metadata }: KubeObject, { uidLabel, uid }: DatabaseNames): boolean => uid !== '' && metadata.labels?.[uidLabel] === uid
