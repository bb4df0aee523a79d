import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { loadKubeconfig, type Connection } from '../client/config.js'
import { RestClient } from '../client/rest-client.js'
import { systemClock, type Clock } from '../clock.js'
import type { Controller } from '../controller.js'
import { EventRecorder } from '../events/event-recorder.js'
import type { HealthServer } from '../health-server.js'
import { LeaderElector } from '../leader-election/leader-elector.js'
import { LeaseLock } from '../leader-election/lease-lock.js'
import type { Logger } from '../logger.js'
import { ControllerMetrics } from '../metrics.js'
import { BucketRateLimiter, ItemExponentialFailureRateLimiter, MaxOfRateLimiter, type RateLimiter } from '../workqueue/rate-limiters.js'
import { TokenBucket } from '../token-bucket.js'
import type { ControllerInitializer } from './controller-context.js'
import { metricsAccess } from './metrics-access.js'
import type { ManagerConfig } from './manager-options.js'
import { startServing } from './serving.js'

export interface ManagerEnvironment {
  /** Every controller there is; the config says which of them run. */
  readonly initializers: readonly ControllerInitializer[]
  readonly version: string
  readonly log: Logger
  readonly clock?: Clock
  /** Called once health and metrics are served, with the port, and before anybody is elected. */
  readonly onServing?: (port: number) => void
}

/** As kube-controller-manager: how long a leader may have missed its renewals before it is reported as unhealthy. */
const electionToleranceMs = 20_000
/** What a user has to mend is looked at again at least this often; client-go's 1000 s would be long for somebody who just did. */
const maxRetryMs = 60_000

/**
 * Runs the controllers of the config, as long as this process leads, until the signal aborts. Resolves to `lost` when another may lead by
 * now: the process must end. @throws Error if the cluster's kubeconfig cannot be used, or the port cannot be listened on
 */
export async function runManager (config: ManagerConfig, environment: ManagerEnvironment, signal: AbortSignal): Promise<'stopped' | 'lost'> {
  const { log, version, clock = systemClock } = environment
  const connection = await loadKubeconfig(config.kubeconfig)
  const metrics = new ControllerMetrics()
  const clientOf = (name: string, limits: { qps?: number, burst?: number, timeoutMs?: number } = {}): RestClient =>
    new RestClient({ connection, userAgent: `annex-controller-manager/${version}/${name}`, metrics, ...limits })
  const client = clientOf('controllers', { qps: config.qps, burst: config.burst })
  // Each with a limit of its own: a busy controller must not lose the lease, nor events delay it.
  const eventClient = clientOf('events')
  const reviewClient = clientOf('metrics-access')
  const identity = `${hostname()}_${randomUUID()}`
  const events = new EventRecorder({ client: eventClient, reportingController: 'annex-controller-manager', reportingInstance: identity, log })

  const lead = async (leading: AbortSignal): Promise<void> => {
    const controllers = environment.initializers.filter(i => config.controllers.includes(i.name)).flatMap(initializer => initializer.create({
      client, events, metrics, log, clock,
      workers: config.concurrentSyncs[initializer.name] ?? 1,
      resyncMs: config.minResyncMs * (1 + Math.random()),
      rateLimiter: operatorRateLimiter,
      databaseImageRegistry: config.databaseImageRegistry
    }))
    log.info({ controllers: controllers.map(c => c.name) }, 'the controllers start')
    await runTogether(controllers, leading)
  }
  const election = config.election && electionOf(config.election, { connection, clientOf, identity, metrics, log, lead })

  let health: HealthServer | undefined
  const stopEvents = new AbortController()
  const recording = events.run(stopEvents.signal)
  try {
    if (config.serving !== undefined) {
      health = await startServing(config.serving, {
        healthz: { leaderElection: () => { election?.elector.checkHealth({ toleranceMs: electionToleranceMs }) } },
        // Once it knows who leads. Not full caches: a kind that is not served would hold up every rollout.
        readyz: { leaderElection: () => { if (election?.elector.leader === '') throw new Error('no leader was seen yet') } },
        metrics: metrics.registry,
        authorizeMetrics: metricsAccess(reviewClient, clock)
      }, log)
      environment.onServing?.(health.port)
    }
    if (election !== undefined) return await election.elector.run(signal)
    await lead(signal)
    return 'stopped'
  } finally {
    stopEvents.abort()
    await recording
    await health?.close()
    election?.close()
    for (const c of [client, eventClient, reviewClient]) c.close()
  }
}

interface ElectionParts {
  readonly connection: Connection
  readonly clientOf: (name: string, limits: { timeoutMs: number }) => RestClient
  readonly identity: string
  readonly metrics: ControllerMetrics
  readonly log: Logger
  readonly lead: (signal: AbortSignal) => Promise<void>
}

function electionOf (config: NonNullable<ManagerConfig['election']>, parts: ElectionParts): { readonly elector: LeaderElector, close (): void } {
  const { namespace, name, ...times } = config
  // As kube-controller-manager: two tries fit in the deadline.
  const client = parts.clientOf('leader-election', { timeoutMs: config.renewDeadlineMs / 2 })
  const { identity, metrics, log, lead } = parts
  const elector = new LeaderElector({
    lock: new LeaseLock(client, { namespace, name }), identity, metrics, log, lead, ...times,
    onNewLeader: leader => { log.info({ leader, us: leader === identity }, 'a new leader was seen') }
  })
  return { elector, close: () => { client.close() } }
}

const operatorRateLimiter = (clock: Clock): RateLimiter<string> => new MaxOfRateLimiter(
  new ItemExponentialFailureRateLimiter<string>({ baseMs: 5, maxMs: maxRetryMs }),
  new BucketRateLimiter<string>(new TokenBucket({ qps: 10, burst: 100, clock }))
)

/** Runs controllers until the signal aborts. If one fails, all end before this rejects: nothing may go on when the lease is given back. */
export async function runTogether (controllers: readonly Pick<Controller, 'run'>[], signal: AbortSignal): Promise<void> {
  const failure = new AbortController()
  const stop = AbortSignal.any([signal, failure.signal])
  const results = await Promise.allSettled([aborted(stop), ...controllers.map(async c => {
    try {
      await c.run(stop)
    } catch (error) {
      failure.abort()
      throw error
    }
  })])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve() }, { once: true }) })
}
