import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { line, PREFIX, thingOptions } from '../../test/suites/cacher-fixture.js'
import type { Thing } from '../../test/suites/cacher-fixture.js'
import { turn } from '../../test/suites/fake-clock.js'
import { ScriptedStorage } from '../../test/suites/scripted-storage.js'
import { EmbeddedStorage } from '../embedded/storage.js'
import { isStorageError } from '../errors.js'
import type { Revision, Storage } from '../interfaces.js'
import { Cacher } from './cacher.js'
import type { CacheList, CacheWatcher } from './interfaces.js'
import { compareKeys } from './key-order.js'

/**
 * Random histories: writers, readers and watchers at the same time, over a storage that has its troubles. Afterwards everything that was
 * seen is compared with the one log of all acknowledged writes: a list with the state at its revision, a watcher's events with exactly
 * the changes since its start.
 */

const KEYS = ['ns1/a', 'ns1/b', 'ns10/a', 'ns2/a', 'ns2/\ue000', 'ns2/\u{1f600}']
const COLOURS = ['red', 'green', 'blue']
const SCOPES = [
  { scope: PREFIX, exactKey: false },
  { scope: `${PREFIX}ns1/`, exactKey: false },
  { scope: `${PREFIX}ns2/`, exactKey: false },
  { scope: `${PREFIX}ns1/a`, exactKey: true }
]
type Scope = typeof SCOPES[number]

interface Write {
  readonly key: string
  readonly revision: Revision
  readonly text: string | undefined
}

interface Follower {
  readonly watcher: CacheWatcher<Thing>
  readonly scope: Scope
  readonly colour: string | undefined
  readonly from: { readonly initial: boolean; readonly end: boolean; readonly revision: Revision }
  readonly seen: string[]
}

const scope = fc.constantFrom(...SCOPES)
const colour = fc.constantFrom(undefined, 'red', 'green')
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('write' as const), key: fc.constantFrom(...KEYS), text: fc.constantFrom(...COLOURS, undefined) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('watch' as const), scope, colour, initial: fc.boolean(), end: fc.boolean(), back: fc.integer({ min: -3, max: 8 }), bufferSize: fc.constantFrom(3, 1_000) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const), which: fc.nat(), max: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read' as const), scope, colour, limit: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('trouble' as const), kind: fc.constantFrom('hold', 'release', 'break', 'lose' as const) }) }
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

class History {
  readonly #storage: Storage
  readonly #cacher: Cacher<Thing>
  readonly #trouble: ((kind: string) => Promise<void>) | undefined
  readonly #log: Write[] = []
  readonly #busy = new Set<string>()
  readonly #under: Promise<void>[] = []
  readonly #followers: Follower[] = []
  readonly #lists: { list: CacheList<Thing>; scope: Scope; colour: string | undefined; limit: number }[] = []
  #acknowledged: Revision = 0n

  constructor (storage: Storage, trouble?: (kind: string) => Promise<void>) {
    this.#storage = storage
    this.#trouble = trouble
    this.#cacher = new Cacher<Thing>({ ...thingOptions, storage, watchBufferSize: 40, historyLimit: 12, historyMinimum: 4, backoffMs: { initial: 1, max: 2 }, listPageSize: 2 })
  }

  async run (steps: readonly Step[]): Promise<void> {
    try {
      await this.#cacher.whenReady()
      for (const step of steps) await this.#do(step)
      await this.#trouble?.('release')
      await Promise.all(this.#under)
      await this.#cacher.waitFresh('consistent')
      await turn()
      this.#checkLists()
      for (const follower of this.#followers) this.#checkFollower(follower)
    } finally {
      await this.#cacher.stop()
    }
  }

  async #do (step: Step): Promise<void> {
    switch (step.do) {
      case 'write':
        if (!this.#busy.has(step.key)) this.#under.push(this.#write(PREFIX + step.key, step.text))
        return
      case 'read':
        this.#under.push(this.#read(step))
        return
      case 'watch':
        this.#watch(step)
        return
      case 'take': {
        const follower = this.#followers[step.which % this.#followers.length]
        if (follower !== undefined) follower.seen.push(...follower.watcher.take(step.max).map(line))
        return
      }
      case 'turn':
        await turn(1)
        return
      case 'trouble':
        await this.#trouble?.(step.kind)
    }
  }

  async #write (key: string, text: string | undefined): Promise<void> {
    const name = key.slice(PREFIX.length)
    this.#busy.add(name)
    try {
      const current = this.#log.findLast((write) => write.key === key)
      const exists = current?.text !== undefined
      if (text === undefined && !exists) return
      const expected = { modRevision: current?.revision ?? 0n }
      const { revision } = text === undefined ? await this.#storage.delete(key, expected)
        : exists ? await this.#storage.update(key, Buffer.from(text), expected)
          : await this.#storage.create(key, Buffer.from(text))
      this.#log.push({ key, revision, text })
      if (revision > this.#acknowledged) this.#acknowledged = revision
    } finally {
      this.#busy.delete(name)
    }
  }

  async #read ({ scope, colour, limit }: { scope: Scope; colour: string | undefined; limit: number }): Promise<void> {
    const acknowledged = this.#acknowledged
    const revision = await this.#cacher.waitFresh('consistent')
    assert.ok(revision >= acknowledged, `a consistent read shows ${revision}, though ${acknowledged} had been acknowledged`)
    const list = this.#cacher.list({ ...scope, limit, matches: colour === undefined ? undefined : (thing) => thing.text === colour })
    assert.ok(list.revision >= revision)
    for (const item of list.items) assert.equal(this.#cacher.get(item.key), item)
    this.#lists.push({ list, scope, colour, limit })
  }

  #watch (step: Extract<Step, { do: 'watch' }>): void {
    const { scope, colour, initial, end, bufferSize } = step
    const now = this.#cacher.currentRevision as Revision
    const after = now - BigInt(step.back)
    const watcher = this.#cacher.watch({
      ...scope,
      matches: colour === undefined ? undefined : (thing) => thing.text === colour,
      start: initial ? { from: 'initial', bookmarkEnd: end } : { from: 'revision', after },
      bookmarks: false,
      bufferSize
    })
    const floor = this.#cacher.stats().oldestRevision as Revision
    if (!initial && after < floor) assert.deepEqual(watcher.ended, { reason: 'expired', oldest: floor })
    else assert.equal(watcher.ended, undefined)
    if (watcher.ended === undefined) this.#followers.push({ watcher, scope, colour, from: { initial, end: initial && end, revision: initial ? now : after }, seen: [] })
  }

  /** The matching values of the scope at a revision, in key order. */
  #state (revision: Revision, scope: Scope, colour: string | undefined): Write[] {
    const state = new Map<string, Write>()
    for (const write of this.#inOrder()) if (write.revision <= revision) state.set(write.key, write)
    return [...state.values()]
      .filter((write) => inScope(scope, write.key) && shown(write.text, colour))
      .sort((a, b) => compareKeys(a.key, b.key))
  }

  #inOrder (): Write[] {
    return this.#log.sort((a, b) => a.revision < b.revision ? -1 : 1)
  }

  #checkLists (): void {
    for (const { list, scope, colour, limit } of this.#lists) {
      const all = this.#state(list.revision, scope, colour)
      const expected = limit > 0 ? all.slice(0, limit) : all
      assert.deepEqual(list.items.map((item) => [item.key, item.revision, item.value.text]), expected.map((write) => [write.key, write.revision, write.text]))
      const last = expected[limit - 1]
      const remaining = last === undefined ? 0 : this.#state(list.revision, scope, undefined).filter((write) => compareKeys(write.key, last.key) > 0).length
      assert.equal(list.remaining, remaining)
    }
  }

  #checkFollower ({ watcher, scope, colour, from, seen }: Follower): void {
    for (let events = watcher.take(5); events.length > 0; events = watcher.take(5)) seen.push(...events.map(line))
    const expected = from.initial ? this.#state(from.revision, scope, colour).map((write) => text('ADDED', write)) : []
    if (from.end) expected.push(`BOOKMARK ${from.revision} end`)
    const before = new Map(this.#state(from.revision, scope, undefined).map((write) => [write.key, write.text]))
    for (const write of this.#inOrder()) {
      if (write.revision <= from.revision || !inScope(scope, write.key)) continue
      const old = before.get(write.key)
      before.set(write.key, write.text)
      if (shown(write.text, colour)) expected.push(text(shown(old, colour) ? 'MODIFIED' : 'ADDED', write))
      else if (shown(old, colour)) expected.push(text('DELETED', { ...write, text: old }))
    }
    if (watcher.ended === undefined) {
      assert.deepEqual(seen, expected)
    } else {
      assert.ok(watcher.ended.reason === 'slow' || watcher.ended.reason === 'reset')
      assert.deepEqual(seen, expected.slice(0, seen.length), 'an ended watcher has seen the beginning')
    }
    watcher.close()
  }
}

function inScope ({ scope, exactKey }: Scope, key: string): boolean {
  return exactKey ? key === scope : key.startsWith(scope)
}

function shown (text: string | undefined, colour: string | undefined): boolean {
  return text !== undefined && (colour === undefined || text === colour)
}

function text (type: string, { key, text, revision }: Write): string {
  return `${type} ${key.slice(PREFIX.length)}=${text}@${revision}`
}

// The cacher's timers do not keep the process alive.
const alive = setInterval(() => {}, 1_000)
t.teardown(() => clearInterval(alive))

t.test('over a storage with its troubles', async (t) => {
  await t.resolves(fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 120 }), async (steps) => {
    const storage = new ScriptedStorage()
    await new History(storage, async (kind) => {
      if (kind === 'hold') storage.holdEvents = true
      if (kind === 'break') storage.breakWatches('Unavailable')
      if (kind === 'lose') {
        await storage.compact(storage.revision)
        storage.breakWatches('Compacted')
      }
      if (kind === 'release') {
        storage.holdEvents = false
        storage.flush()
      }
    }).run(steps)
  }), { numRuns: 250 }))
})

t.test('over the embedded storage', async (t) => {
  const parent = t.testdir({})
  let directories = 0
  await t.resolves(fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 150 }), async (steps) => {
    const storage = await EmbeddedStorage.open({ directory: `${parent}/${directories++}`, compactionIntervalMs: 0 })
    try {
      await new History(storage, async (kind) => {
        if (kind === 'lose') await storage.compact(await storage.currentRevision())
      }).run(steps)
    } finally {
      await storage.close()
    }
  }), { numRuns: 25 }))
})

t.test('a slow watcher over the embedded storage is cut, a quick one sees all', async (t) => {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  const cacher = new Cacher<Thing>({ ...thingOptions, storage, watchBufferSize: 50 })
  await cacher.whenReady()
  const all = { scope: PREFIX, start: { from: 'initial', bookmarkEnd: false }, bookmarks: false } as const
  const slow = cacher.watch(all)
  const quick = cacher.watch(all)
  const seen: string[] = []
  quick.onReadable(() => seen.push(...quick.take().map(line)))
  const writes = await Promise.all(Array.from({ length: 400 }, (_, i) => storage.create(`${PREFIX}${i}`, Buffer.from('x'))))
  const last = writes.reduce((last, { revision }) => revision > last ? revision : last, 0n)
  t.ok(await cacher.waitFresh('consistent') >= last)
  await turn()
  t.strictSame(slow.ended, { reason: 'slow' })
  t.equal(quick.ended, undefined)
  t.equal(new Set(seen).size, 400)
  t.equal(seen.length, 400)
  await cacher.stop()
  await storage.close()
})

t.test('a cacher that reads a compacted embedded storage begins at its present state', async (t) => {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  for (const name of ['a', 'b', 'c']) await storage.create(PREFIX + name, Buffer.from('x'))
  await storage.compact(3n)
  const cacher = new Cacher<Thing>({ ...thingOptions, storage })
  t.equal(await cacher.waitFresh('consistent'), 4n)
  t.equal(cacher.size, 3)
  await storage.close()
  try {
    await cacher.waitFresh('consistent')
    t.fail('the storage is closed')
  } catch (error) {
    t.ok(isStorageError(error))
  }
  t.equal(cacher.get(`${PREFIX}a`)?.value.text, 'x')
  await cacher.stop()
})
