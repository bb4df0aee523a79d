import { Cacher } from '../../storage/cacher/cacher.js'
import type { CacherOptions, CacheWatchEvent, CacheWatcher } from '../../storage/cacher/interfaces.js'
import type { Revision } from '../../storage/interfaces.js'
import { FakeClock, turn } from './fake-clock.js'
import { ScriptedStorage } from './scripted-storage.js'

export const PREFIX = '/registry/g/things/'

/** What the tests keep: a text, and the revision it is said to have. */
export interface Thing {
  readonly text: string
  readonly revision: Revision
}

export const thingOptions = {
  prefix: PREFIX,
  decode: ({ value, modRevision }) => {
    const text = value.toString()
    if (text === 'corrupt') throw new Error('cannot be decoded')
    return { text, revision: modRevision }
  },
  withRevision: (thing, revision) => ({ ...thing, revision })
} satisfies Partial<CacherOptions<Thing>>

export interface CacherFixture {
  readonly storage: ScriptedStorage
  readonly clock: FakeClock
  readonly cacher: Cacher<Thing>
  /** What was reported: 'corrupt <key>' or the activity that failed. */
  readonly reports: string[]
}

/** A Cacher over a ScriptedStorage under a FakeClock, stopped when the test ends. */
export function startCacher (t: { teardown (end: () => unknown): void }, options: Partial<CacherOptions<Thing>> = {}, storage: ScriptedStorage = new ScriptedStorage()): CacherFixture {
  const clock = new FakeClock()
  const reports: string[] = []
  const cacher = new Cacher<Thing>({
    ...thingOptions,
    storage,
    clock,
    onCorrupt: ({ key }) => reports.push(`corrupt ${key}`),
    onError: (_error, during) => reports.push(during),
    ...options
  })
  t.teardown(() => cacher.stop())
  return { storage, clock, cacher, reports }
}

/** The same, with what the storage has already in the cache. */
export async function startReady (t: { teardown (end: () => unknown): void }, options: Partial<CacherOptions<Thing>> = {}, storage?: ScriptedStorage): Promise<CacherFixture> {
  const fixture = startCacher(t, options, storage)
  await fixture.cacher.whenReady()
  await turn()
  return fixture
}

/** An event in one line: `ADDED a=1@5`, `BOOKMARK 7`, `BOOKMARK 7 end`. */
export function line (event: CacheWatchEvent<Thing>): string {
  if (event.type === 'BOOKMARK') return `BOOKMARK ${event.revision}${event.initialEventsEnd ? ' end' : ''}`
  const { key, revision, value } = event.item
  if (value.revision !== revision) throw new Error(`the value of ${key} says revision ${value.revision}, the item ${revision}`)
  return `${event.type} ${key.slice(PREFIX.length)}=${value.text}@${revision}`
}

/** All that is waiting, after giving what is under way the time to arrive. */
export async function drain (watcher: CacheWatcher<Thing>, max?: number): Promise<string[]> {
  await turn()
  const lines: string[] = []
  for (let events = watcher.take(max); events.length > 0; events = watcher.take(max)) lines.push(...events.map(line))
  return lines
}
