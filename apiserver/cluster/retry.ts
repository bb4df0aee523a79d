import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterError } from './errors.js'

export interface RetryOptions {
  /** How often at most, the first included. Default 5. */
  readonly tries?: number
  /** Default 500. */
  readonly delayMs?: number
  readonly signal?: AbortSignal | undefined
  readonly random?: () => number
}

/**
 * Repeats a question to the cluster that changes nothing (a review, a read): 5 tries, 500 ms apart and half as much longer every time,
 * with a fifth of jitter (k8s.io/apiserver DefaultAuthWebhookRetryBackoff). Repeated are failed connections, 429 and 5xx; an answer that
 * took too long is not, for the caller is waiting. The last failure is what the caller sees.
 */
export async function retry<T> (attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { tries = 5, signal, random = Math.random } = options
  let delay = options.delayMs ?? 500
  for (let i = 1; ; i++) {
    try {
      return await attempt()
    } catch (error) {
      if (i >= tries || !mayHelp(error)) throw error
      try {
        await sleep(Math.max(delay * (1 + 0.2 * random()), Math.min((error as ClusterError).retryAfterMs ?? 0, 10_000)), undefined, { signal })
      } catch {
        throw error // the caller has gone; what went wrong is what it should hear
      }
      delay *= 1.5
    }
  }
}

const mayHelp = (error: unknown): boolean => error instanceof ClusterError && !error.timedOut && (error.code === 0 || error.code === 429 || error.code >= 500)
