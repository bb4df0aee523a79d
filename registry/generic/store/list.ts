import { isStorageError, StorageError } from '../../../storage/errors.js'
import type { Revision } from '../../../storage/interfaces.js'
import { newBadRequest, newNotFound, newResourceExpired, newTooLargeResourceVersion } from '../../meta/status-error.js'
import { ContinueTokenError, decodeContinue, encodeContinue } from '../continue-token.js'
import { interpretStorageError } from '../interpret-error.js'
import { ServedObject } from '../served-object.js'
import { keyOf, readStored, scopeOf, type StoreContext } from './context.js'

/** What a reader wants, checked by the handler: resourceVersion is empty or a decimal. */
export interface ListQuery {
  /** Empty: all namespaces. */
  readonly namespace: string
  /** Only the object of this name (`fieldSelector=metadata.name=…`); needs a namespace for namespaced resources. */
  readonly name?: string | undefined
  /** 0: no limit. */
  readonly limit: number
  readonly continueToken: string
  readonly resourceVersion: string
  readonly resourceVersionMatch: '' | 'Exact' | 'NotOlderThan'
  /** Label and field selectors; absent when there are none. */
  readonly matches?: ((object: ServedObject) => boolean) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ListResult {
  readonly items: readonly ServedObject[]
  readonly resourceVersion: string
  /** Empty at the end. */
  readonly continueToken: string
  readonly remainingItemCount: number | undefined
}

const expiredContinueText = 'The provided continue parameter is too old to display a consistent list result. You can start a new list without ' +
  'the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided ' +
  'token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned ' +
  'and now may show up in the list.'

/** Reads one object. resourceVersion: empty is linearizable, "0" whatever is cached, N not older than N. @throws StatusError 404, 504, 503 */
export async function get (context: StoreContext, namespace: string, name: string, resourceVersion: string, signal?: AbortSignal): Promise<ServedObject> {
  const key = keyOf(context, namespace, name)
  let object: ServedObject | undefined
  try {
    await context.cacher.waitFresh(resourceVersion === '' ? 'consistent' : resourceVersion === '0' ? 'any' : BigInt(resourceVersion), signal)
    object = context.cacher.get(key)?.value
  } catch (error) {
    if (!lagging(error, resourceVersion)) throw interpretWait(context, error, resourceVersion === '' ? undefined : BigInt(resourceVersion), 'get')
    object = (await readStored(context, key, signal).catch((cause: unknown) => { throw interpretStorageError(cause, { verb: 'get', groupResource: context.resource.groupResource, name }) }))?.object
  }
  if (object === undefined) throw newNotFound(context.resource.groupResource, name)
  return object
}

/** The cache did not reach the store's own revision in time: the store itself is asked instead. */
const lagging = (error: unknown, resourceVersion: string): boolean => resourceVersion === '' && isStorageError(error, 'FutureRevision')

/** Lists objects as contract §3.2 and §3.3 say: consistent, cached, not older than, exactly at, and paged. */
export async function list (context: StoreContext, query: ListQuery): Promise<ListResult> {
  if (query.continueToken !== '') return continued(context, query)
  const { resourceVersion: rv, resourceVersionMatch: match } = query
  if (rv === '' || rv === '0') {
    try {
      await context.cacher.waitFresh(rv === '' ? 'consistent' : 'any', query.signal)
      return fromCache(context, query, rv === '0' ? 0 : query.limit)
    } catch (error) {
      if (!lagging(error, rv)) throw interpretWait(context, error, undefined, 'list')
    }
    return fromStore(context, query, await currentRevision(context, query.signal), undefined)
  }
  const wanted = BigInt(rv)
  if (match === 'Exact' || (match === '' && query.limit > 0)) return exactly(context, query, wanted, undefined)
  await waitFresh(context, wanted, 'list', query.signal)
  return fromCache(context, query, query.limit)
}

async function currentRevision (context: StoreContext, signal: AbortSignal | undefined): Promise<Revision> {
  try {
    return await context.storage.currentRevision({ signal })
  } catch (error) {
    throw interpretStorageError(error, { verb: 'list', groupResource: context.resource.groupResource })
  }
}

async function continued (context: StoreContext, query: ListQuery): Promise<ListResult> {
  if (query.resourceVersion !== '' && query.resourceVersion !== '0') throw newBadRequest('specifying resource version is not allowed when using continue')
  const scope = scopeOf(context, query.namespace)
  let token
  try {
    token = decodeContinue(scope, query.continueToken)
  } catch (error) {
    throw error instanceof ContinueTokenError ? newBadRequest(`invalid continue token: ${error.message}`) : error
  }
  if (token.revision < 0n) {
    await waitFresh(context, 'consistent', 'list', query.signal)
    return fromCache(context, query, query.limit, { startKey: token.startKey })
  }
  return exactly(context, query, token.revision, token.startKey)
}

/**
 * What the cache holds now, with the revision that it has now: after a wait it may be further than the wait said. `at` is a revision whose
 * state is known to be the same.
 */
function fromCache (context: StoreContext, query: ListQuery, limit: number, { startKey, at }: { startKey?: string | undefined, at?: Revision } = {}): ListResult {
  const scope = scopeOf(context, query.namespace)
  if (query.name !== undefined) {
    const item = context.cacher.get(keyOf(context, query.namespace, query.name))
    return oneOrNone(query, item?.value, at ?? context.cacher.currentRevision!)
  }
  const { items, remaining, revision: now } = context.cacher.list({
    scope,
    ...(startKey !== undefined && { startKey }),
    ...(limit > 0 && { limit }),
    ...(query.matches && { matches: query.matches })
  })
  const revision = at ?? now
  const more = limit > 0 && remaining > 0
  return {
    items: items.map(i => i.value),
    resourceVersion: revision.toString(),
    continueToken: more ? encodeContinue(scope, items.at(-1)!.key, revision) : '',
    remainingItemCount: more && query.matches === undefined ? remaining : undefined
  }
}

/** At one revision: from the cache while nothing has changed since, else from the store's history. */
async function exactly (context: StoreContext, query: ListQuery, revision: Revision, startKey: string | undefined): Promise<ListResult> {
  const current = await waitFresh(context, revision, 'list', query.signal)
  if (current >= revision && context.cacher.unchangedSince(revision)) {
    return fromCache(context, query, query.limit, { startKey, at: revision })
  }
  return fromStore(context, query, revision, startKey)
}

/** The answer to a question for one name: it has no pages. */
function oneOrNone (query: ListQuery, object: ServedObject | undefined, revision: Revision): ListResult {
  const items = object !== undefined && (query.matches?.(object) ?? true) ? [object] : []
  return { items, resourceVersion: revision.toString(), continueToken: '', remainingItemCount: undefined }
}

async function fromStore (context: StoreContext, query: ListQuery, revision: Revision, startKey: string | undefined): Promise<ListResult> {
  const scope = scopeOf(context, query.namespace)
  const items: ServedObject[] = []
  let from = startKey
  try {
    if (query.name !== undefined) {
      const { value } = await context.storage.get(keyOf(context, query.namespace, query.name), { revision, signal: query.signal })
      return oneOrNone(query, value && ServedObject.fromStored(context.resource, value.value, value.modRevision), revision)
    }
    for (;;) {
      // With a selector a page of the answer takes more than a page of the store.
      const page = await context.storage.list(scope, { revision, ...(from !== undefined && { startKey: from }), ...(query.limit > 0 && { limit: query.matches ? Math.max(query.limit * 2, 500) : query.limit }), signal: query.signal })
      for (const [i, stored] of page.items.entries()) {
        from = stored.key + '\0'
        const object = ServedObject.fromStored(context.resource, stored.value, stored.modRevision)
        if (query.matches && !query.matches(object)) continue
        items.push(object)
        if (query.limit > 0 && items.length === query.limit) {
          const remaining = page.items.length - i - 1 + page.remaining
          return {
            items,
            resourceVersion: revision.toString(),
            continueToken: remaining > 0 ? encodeContinue(scope, stored.key, revision) : '',
            remainingItemCount: remaining > 0 && query.matches === undefined ? remaining : undefined
          }
        }
      }
      if (page.remaining === 0) return { items, resourceVersion: revision.toString(), continueToken: '', remainingItemCount: undefined }
    }
  } catch (error) {
    if (isStorageError(error, 'Compacted') && startKey !== undefined) {
      throw newResourceExpired(expiredContinueText, { continue: encodeContinue(scope, startKey.replace(/\0$/, ''), -1n) })
    }
    throw interpretStorageError(error, { verb: 'list', groupResource: context.resource.groupResource })
  }
}

/** @throws StatusError 504 with the cause ResourceVersionTooLarge, 429 while the cache is being filled, 503 without a store */
export async function waitFresh (context: StoreContext, want: 'any' | 'consistent' | Revision, verb: 'get' | 'list' | 'watch', signal?: AbortSignal): Promise<Revision> {
  try {
    return await context.cacher.waitFresh(want, signal)
  } catch (error) {
    throw interpretWait(context, error, typeof want === 'bigint' ? want : undefined, verb)
  }
}

function interpretWait (context: StoreContext, error: unknown, want: Revision | undefined, verb: 'get' | 'list' | 'watch'): unknown {
  if (!(error instanceof StorageError) || error.code !== 'FutureRevision') return interpretStorageError(error, { verb, groupResource: context.resource.groupResource })
  return newTooLargeResourceVersion(want ?? 0n, error.revision ?? 0n, 1)
}
