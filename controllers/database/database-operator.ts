import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { CoreEvent } from '../children/types.js'
import type { RestClient } from '../client/rest-client.js'
import { systemClock, type Clock } from '../clock.js'
import { Controller, type QueueMetrics } from '../controller.js'
import type { EventRecorder } from '../events/event-recorder.js'
import type { Informer } from '../informer/informer.js'
import type { Logger } from '../logger.js'
import type { ControllerContext } from '../manager/controller-context.js'
import { mapped, objectsOf, type Source } from '../sources.js'
import { TokenBucket } from '../token-bucket.js'
import { BucketRateLimiter, ItemExponentialFailureRateLimiter, MaxOfRateLimiter, type RateLimiter } from '../workqueue/rate-limiters.js'
import { dbExampleDatabase } from './db-example-database.js'
import { databaseKinds, sharedKinds, type DatabaseKinds, type SharedKinds } from './kinds.js'
import type { DatabaseAdapter } from './model.js'
import { mycompanyDatabase } from './mycompany-database.js'
import { databaseOf } from './names.js'
import { DatabaseReconciler } from './reconcile-database.js'

export interface DatabaseOperatorOptions {
  readonly client: RestClient
  /** Only there; everywhere without. */
  readonly namespace?: string | undefined
  /** Databases at once, of each group. Default 2. */
  readonly workers?: number
  /** Where the official images are; default `docker.io/library`. */
  readonly imageRegistry?: string | undefined
  /** Tells of every Database again and again; default ten hours, controller-runtime's. */
  readonly resyncMs?: number
  /** Default: 100 ms doubling up to a minute for each Database, and 10 a second for all. */
  readonly rateLimiter?: (clock: Clock) => RateLimiter<string>
  readonly events?: Pick<EventRecorder, 'event'> | undefined
  readonly metrics?: QueueMetrics
  readonly log?: Logger
  readonly clock?: Clock
}

/** The controllers of Databases, as the controller manager makes them. */
export const newDatabaseControllers = ({ databaseImageRegistry, ...context }: ControllerContext): Controller[] => databaseOperator({ ...context, imageRegistry: databaseImageRegistry })

/** The controllers of Databases, one for each group, with one reconciler between them. */
export function databaseOperator (options: DatabaseOperatorOptions): Controller[] {
  const shared = sharedKinds(options)
  return [controllerFor(mycompanyDatabase as DatabaseAdapter, shared, options), controllerFor(dbExampleDatabase as DatabaseAdapter, shared, options)]
}

function controllerFor (adapter: DatabaseAdapter, shared: SharedKinds, options: DatabaseOperatorOptions): Controller {
  const { client, namespace, workers = 2, resyncMs = 36_000_000, imageRegistry = 'docker.io/library', rateLimiter = databaseRateLimiter, events, metrics, log, clock = systemClock } = options
  const kinds = databaseKinds(adapter, shared, { client, namespace, clock, ...(log !== undefined && { log }) })
  const reconciler = new DatabaseReconciler({ adapter, kinds, imageRegistry, clock, events })
  return new Controller({
    name: `database.${adapter.group}`,
    sources: sourcesOf(adapter, kinds, resyncMs),
    reconcile: reconciler.reconcile,
    workers, rateLimiter, clock,
    ...(metrics !== undefined && { metrics }), ...(log !== undefined && { log })
  })
}

/** What is in the way is looked at again at least once a minute: whoever removed it waits for us. */
const databaseRateLimiter = (clock: Clock): RateLimiter<string> => new MaxOfRateLimiter<string>(
  new ItemExponentialFailureRateLimiter({ baseMs: 100, maxMs: 60_000 }),
  new BucketRateLimiter(new TokenBucket({ qps: 10, burst: 100, clock }))
)

/**
 * What has a Database reconciled: itself, and everything that carries its name, but for Secrets, which are not watched. Backups and metrics only
 * where there are any: a group that is not served would hold up Databases that have no use for it.
 */
export function sourcesOf ({ group, conditionTypes }: DatabaseAdapter, kinds: DatabaseKinds, resyncMs: number): Source[] {
  const { databases, configMaps, services, statefulSets, cronJobs, customMetrics, claims, pods } = kinds
  const named = ({ informer }: { readonly informer: Informer<KubeObject> }): Source => mapped(informer, object => databaseOf(group, object))
  const ofEvents = (events: Informer<CoreEvent>): Source => mapped(events, ({ involvedObject: { kind, namespace, name = '' } }) => {
    const regarding = kind === 'StatefulSet' ? statefulSets.informer.lister.get({ namespace, name }) : claims.informer.lister.get({ namespace, name })
    return regarding === undefined ? [] : databaseOf(group, regarding)
  })
  // A class that comes, or lets volumes grow, may be what some wait for.
  const ofClasses = mapped(kinds.storageClasses, () => databases.informer.lister.list().map(({ metadata: { namespace, name = '' } }) => ({ namespace, name })), { onUpdateIf: (old, now) => old.allowVolumeExpansion !== now.allowVolumeExpansion })
  return [
    objectsOf(databases.informer, { resyncMs }),
    ...([configMaps, services, statefulSets, ...(conditionTypes.includes('BackupReady') ? [cronJobs] : []), ...(conditionTypes.includes('MonitoringReady') ? [customMetrics] : []), claims, pods] as unknown as { readonly informer: Informer<KubeObject> }[]).map(named),
    ...kinds.events.map(ofEvents), ofClasses
  ]
}
