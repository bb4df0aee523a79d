import type { RestClient } from '../client/rest-client.js'
import type { Clock } from '../clock.js'
import type { Controller, QueueMetrics } from '../controller.js'
import type { EventRecorder } from '../events/event-recorder.js'
import type { Logger } from '../logger.js'
import type { RateLimiter } from '../workqueue/rate-limiters.js'

/** What the manager gives each controller. */
export interface ControllerContext {
  /** Shared by all controllers, as its rate limit is. */
  readonly client: RestClient
  readonly events: Pick<EventRecorder, 'event'>
  readonly metrics: QueueMetrics
  readonly log: Logger
  readonly clock: Clock
  /** How many objects it reconciles at once. */
  readonly workers: number
  /** How often it looks at every object although nothing changed. */
  readonly resyncMs: number
  readonly rateLimiter: (clock: Clock) => RateLimiter<string>
  /** Where the images of databases are. */
  readonly databaseImageRegistry: string
}

/** A controller, or several that belong together, that the manager knows by name. They are made anew whenever the process becomes leader. */
export interface ControllerInitializer {
  /** In `--controllers`, metrics and logs. */
  readonly name: string
  readonly create: (context: ControllerContext) => Controller | readonly Controller[]
}
