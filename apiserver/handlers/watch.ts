import type { CacheWatcher, CacheWatchStart } from '../../storage/cacher/interfaces.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import { newResourceExpired, StatusError, type Status } from '../../registry/meta/status-error.js'
import type { RequestContext } from '../request-context.js'
import { errorFrame, WatchFrames } from '../responses/watch-frames.js'
import { httpSink, type WatchSink } from '../responses/watch-sink.js'
import { listOptions, selectedName, selection, type ListOptions } from './options.js'
import { outputFormat, presentation, target, type RequestScope } from './scope.js'

/** So many events are put together before the stream is asked whether it takes more. */
const batchSize = 100

/**
 * GET with watch: streams changes until the deadline, the client or the server ends it (contract §6). Failures before the first byte are
 * ordinary answers; after it, ERROR events.
 */
export async function handleWatch (context: RequestContext, scope: RequestScope, open: (context: RequestContext) => WatchSink = httpSink): Promise<void> {
  const format = outputFormat(context, { stream: true })
  const options = listOptions(context.query, scope, true)
  const frames = new WatchFrames(presentation(context, scope, format), scope.resource.names.kind)
  const seconds = options.timeoutSeconds > 0 ? options.timeoutSeconds : scope.limits.minWatchSeconds * (1 + Math.random())
  const deadlineMs = Math.min(seconds * 1000, 0x7fffffff)

  let begun: Status | CacheWatchStart
  try {
    begun = await startOf(context, scope, options)
  } catch (error) {
    // A revision that does not come is told in the stream, for informers ask for it there.
    if (!(error instanceof StatusError) || error.code !== 504) throw error
    begun = error.status
  }
  const sink = open(context)
  if ('status' in begun) {
    sink.write(errorFrame(begun))
    sink.end()
    return
  }
  // Behind the prefix /watch/ one object may be named, which is then all that was authorized.
  const { namespace, name } = target(context)
  const watcher = scope.store.watch({ namespace, name: name === '' ? selectedName(options) : name }, {
    start: begun,
    matches: selection(options, scope),
    bookmarks: options.allowWatchBookmarks,
    deadlineMs
  })
  await stream(context, watcher, sink, frames, deadlineMs, options)
}

/** Waits for what the watch wants to begin with. */
async function startOf (context: RequestContext, scope: RequestScope, options: ListOptions): Promise<CacheWatchStart> {
  const rv = options.resourceVersion
  if (options.sendInitialEvents === true) {
    await scope.store.waitFresh(rv === '' ? 'consistent' : rv === '0' ? 'any' : BigInt(rv), context.signal)
    return { from: 'initial', bookmarkEnd: options.allowWatchBookmarks }
  }
  await scope.store.waitFresh('any', context.signal)
  if (rv === '' || rv === '0') return { from: 'revision', after: scope.store.cacher.currentRevision ?? 0n }
  return { from: 'revision', after: BigInt(rv) }
}

function stream (context: RequestContext, watcher: CacheWatcher<ServedObject>, sink: WatchSink, frames: WatchFrames, deadlineMs: number, options: ListOptions): Promise<void> {
  return new Promise(resolve => {
    let done = false
    let blocked = false
    const finish = (how: 'end' | 'destroy'): void => {
      if (done) return
      done = true
      clearTimeout(timer)
      watcher.close()
      sink[how]()
      resolve()
    }
    const pump = (): void => {
      if (done || blocked) return
      for (;;) {
        const events = watcher.take(batchSize)
        if (events.length === 0) break
        if (!sink.write(frames.bytes(events))) {
          blocked = true
          sink.onDrain(() => { blocked = false; pump() })
          break
        }
      }
      const ended = watcher.ended
      if (ended === undefined) return
      if (ended.reason === 'expired') sink.write(errorFrame(newResourceExpired(`too old resource version: ${options.resourceVersion} (${ended.oldest ?? 0n})`).status))
      finish(ended.reason === 'slow' ? 'destroy' : 'end')
    }
    const timer = setTimeout(() => { finish('end') }, deadlineMs)
    timer.unref()
    context.signal.addEventListener('abort', () => { finish('end') }, { once: true })
    watcher.onReadable(pump)
    if (context.aborted !== undefined) finish('end')
    else pump()
  })
}
