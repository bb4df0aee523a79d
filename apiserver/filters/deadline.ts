import { newBadRequest, StatusError } from '../../registry/meta/status-error.js'
import type { RequestContext } from '../request-context.js'
import { encodeStatus } from '../responses/write-object.js'
import { respond } from '../responses/respond.js'
import { parseDuration } from '../cli/duration.js'

/** The Status of a request that took too long: upstream writes it without kind and apiVersion. */
const expired = new StatusError({
  metadata: {},
  status: 'Failure',
  message: 'Timeout: request did not complete within the allotted timeout',
  reason: 'Timeout',
  details: {},
  code: 504
})

/** Writes end at this age whatever their own deadline (upstream's requestTimeoutUpperBound). */
const writeDeadlineMs = 34_000
const reading = new Set(['get', 'list', 'head'])

/**
 * Ends a request that is not a watch after `requestTimeoutMs`, or after its own `timeout` parameter if that is shorter.
 * @throws StatusError 400 for a bad parameter
 */
export function startDeadline (context: RequestContext, requestTimeoutMs: number): void {
  if (context.info.verb === 'watch') return
  const asked = context.query.get('timeout')
  let ms = reading.has(context.info.verb) ? requestTimeoutMs : Math.min(requestTimeoutMs, writeDeadlineMs)
  if (asked) {
    let wanted: number
    try {
      wanted = parseDuration(asked)
    } catch (error) {
      throw newBadRequest(`invalid timeout specified in the request URL - ${(error as Error).message}`)
    }
    if (wanted > 0) ms = Math.min(ms, wanted)
  }
  const timer = setTimeout(() => {
    context.abort(expired)
    void respond(context, { status: 504, ...encodeStatus(expired.status, { encoding: 'json', pretty: false, view: undefined }) })
  }, ms)
  context.onFinish.push(() => { clearTimeout(timer) })
}
