import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { RequestMetrics } from './client/rest-client.js'
import type { QueueMetrics } from './controller.js'
import type { WorkqueueReadings } from './workqueue/workqueue.js'

/** Kubernetes' buckets for queues: 10 ns to 1000 s, by tens. */
const queueBuckets = Array.from({ length: 12 }, (_, i) => 1e-8 * 10 ** i)
/** client-go's for requests, in seconds. */
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]

/** The metrics of controllers under the names that every Kubernetes component gives them, in a registry of its own unless told otherwise. */
export class ControllerMetrics implements RequestMetrics, QueueMetrics {
  readonly registry: Registry
  readonly #queues = new Map<string, WorkqueueReadings>()
  readonly #adds: Counter<'name'>
  readonly #retries: Counter<'name'>
  readonly #queueDuration: Histogram<'name'>
  readonly #workDuration: Histogram<'name'>
  readonly #requests: Counter<'code' | 'method' | 'host'>
  readonly #requestDuration: Histogram<'verb' | 'host'>
  readonly #throttled: Histogram
  readonly #leading: Gauge<'name'>

  constructor ({ registry = new Registry() }: { readonly registry?: Registry } = {}) {
    this.registry = registry
    const registers = [registry]
    const labelNames = ['name'] as const
    const reading = (name: string, help: string, read: (queue: WorkqueueReadings) => number): void => {
      const queues = this.#queues
      // Read when somebody asks.
      const gauge: Gauge<'name'> = new Gauge({ name, help, labelNames, registers, collect () { for (const [queue, readings] of queues) this.set({ name: queue }, read(readings)) } })
      gauge.reset()
    }
    reading('workqueue_depth', 'Current depth of workqueue', q => q.length)
    reading('workqueue_unfinished_work_seconds', 'How many seconds of work has been done that is in progress and has not been observed by work_duration', q => q.unfinishedSeconds().reduce((sum, s) => sum + s, 0))
    reading('workqueue_longest_running_processor_seconds', 'How many seconds has the longest running processor for workqueue been running', q => Math.max(0, ...q.unfinishedSeconds()))
    this.#adds = new Counter({ name: 'workqueue_adds_total', help: 'Total number of adds handled by workqueue', labelNames, registers })
    this.#retries = new Counter({ name: 'workqueue_retries_total', help: 'Total number of retries handled by workqueue', labelNames, registers })
    this.#queueDuration = new Histogram({ name: 'workqueue_queue_duration_seconds', help: 'How long in seconds an item stays in workqueue before being requested', labelNames, buckets: queueBuckets, registers })
    this.#workDuration = new Histogram({ name: 'workqueue_work_duration_seconds', help: 'How long in seconds processing an item from workqueue takes', labelNames, buckets: queueBuckets, registers })
    this.#requests = new Counter({ name: 'rest_client_requests_total', help: 'Number of HTTP requests, partitioned by status code, method, and host', labelNames: ['code', 'method', 'host'], registers })
    this.#requestDuration = new Histogram({ name: 'rest_client_request_duration_seconds', help: 'Request latency in seconds, partitioned by verb and host', labelNames: ['verb', 'host'], buckets: requestBuckets, registers })
    this.#throttled = new Histogram({ name: 'rest_client_rate_limiter_duration_seconds', help: 'Client side rate limiter latency in seconds', buckets: requestBuckets, registers })
    this.#leading = new Gauge({ name: 'leader_election_master_status', help: 'Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master', labelNames, registers })
  }

  requested ({ method, host, code, seconds }: Parameters<RequestMetrics['requested']>[0]): void {
    this.#requests.inc({ code, method, host })
    this.#requestDuration.observe({ verb: method, host }, seconds)
  }

  throttled (seconds: number): void { this.#throttled.observe(seconds) }

  /** Who holds the lease of that name: we, or not. */
  leading (name: string, isLeader: boolean): void { this.#leading.set({ name }, isLeader ? 1 : 0) }

  workqueue (name: string): ReturnType<QueueMetrics['workqueue']> {
    const labels = { name }
    // So that they are 0 and not missing before anything happens.
    this.#adds.inc(labels, 0)
    this.#retries.inc(labels, 0)
    return {
      added: () => { this.#adds.inc(labels) },
      retried: () => { this.#retries.inc(labels) },
      started: seconds => { this.#queueDuration.observe(labels, seconds) },
      finished: seconds => { this.#workDuration.observe(labels, seconds) },
      observe: queue => {
        this.#queues.set(name, queue)
        return () => { if (this.#queues.get(name) === queue) this.#queues.set(name, emptyQueue) }
      }
    }
  }
}

const emptyQueue: WorkqueueReadings = Object.freeze({ length: 0, unfinishedSeconds: () => [] })
