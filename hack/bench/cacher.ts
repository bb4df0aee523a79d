/**
 * What the watch cache costs: reads from 100,000 items, and one change told to many watchers.
 *
 *   node --import tsx hack/bench/cacher.ts
 */
import { Cacher } from '../../storage/cacher/cacher.js'
import type { CacheWatcher } from '../../storage/cacher/interfaces.js'
import { ScriptedStorage } from '../../test/suites/scripted-storage.js'

const PREFIX = '/registry/g/things/'
const NAMESPACES = 100
const ITEMS = 100_000

interface Thing {
  readonly name: string
  readonly revision: bigint
}

function keyOf (i: number): string {
  return `${PREFIX}ns-${String(i % NAMESPACES).padStart(3, '0')}/thing-${String(i).padStart(6, '0')}`
}

async function turn (): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

function row (what: string, microseconds: number, note = ''): void {
  process.stdout.write(`| ${what.padEnd(66)} | ${microseconds.toFixed(2).padStart(10)} | ${note.padEnd(34)} |\n`)
}

/** Microseconds per call, the best of five rounds. */
async function measure (count: number, run: (i: number) => void | Promise<void>): Promise<number> {
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const begin = performance.now()
    for (let i = 0; i < count; i++) {
      const wait = run(i)
      if (wait !== undefined) await wait
    }
    best = Math.min(best, (performance.now() - begin) * 1_000 / count)
  }
  return best
}

/** A storage whose log is not kept, so that the bench does not measure the test double. */
class QuickStorage extends ScriptedStorage {
  next = 0n

  tell (key: string): void {
    this.next++
    this.deliver({ events: [{ type: 'put', key, value: Buffer.from('x'), modRevision: this.next }], revision: this.next })
  }

  override progressRequested (): void {
    this.deliver({ events: [], revision: this.next })
  }

  override async currentRevision (): Promise<bigint> {
    return this.next
  }
}

async function start (items: number): Promise<{ cacher: Cacher<Thing>; storage: QuickStorage; filledMs: number }> {
  const storage = new QuickStorage()
  storage.write(Array.from({ length: items }, (_, i) => ({ key: keyOf(i), value: 'x' })))
  storage.next = storage.revision
  const begin = performance.now()
  const cacher = new Cacher<Thing>({
    storage,
    prefix: PREFIX,
    listPageSize: items,
    decode: ({ key, modRevision }) => ({ name: key, revision: modRevision }),
    withRevision: (thing, revision) => ({ ...thing, revision })
  })
  await cacher.whenReady()
  return { cacher, storage, filledMs: performance.now() - begin }
}

async function reads (items: number): Promise<void> {
  const { cacher, storage, filledMs } = await start(items)
  const of = `of ${items.toLocaleString('en')}`
  row(`fill, ${of} items, one page`, filledMs * 1_000 / items, 'per item, with the test double')
  row(`get, ${of}`, await measure(200_000, (i) => {
    cacher.get(keyOf(i * 7 % items))
  }), 'with making the key')
  row(`list 500, ${of}`, await measure(1_000, (i) => {
    cacher.list({ scope: PREFIX, startKey: keyOf(i * 97 % items), limit: 500 })
  }), 'with remaining')
  row(`list one namespace, ${of}`, await measure(200, (i) => {
    cacher.list({ scope: `${PREFIX}ns-${String(i % NAMESPACES).padStart(3, '0')}/` })
  }), `${items / NAMESPACES} items`)
  row(`consistent read, one after the other, ${of}`, await measure(5_000, async () => {
    await cacher.waitFresh('consistent')
  }))
  row(`consistent read, 100 at a time, ${of}`, await measure(100, async () => {
    await Promise.all(Array.from({ length: 100 }, () => cacher.waitFresh('consistent')))
  }) / 100)
  row(`a change, nobody watching, ${of}`, await measure(50, async (i) => {
    for (let n = 0; n < 200; n++) storage.tell(keyOf((i * 200 + n) * 31 % items))
    await cacher.waitFresh(storage.next)
  }) / 200)
  await cacher.stop()
}

async function dispatch (items: number, watchers: number, kind: 'all' | 'selecting' | 'namespaces'): Promise<void> {
  const { cacher, storage } = await start(items)
  let taken = 0
  const open: CacheWatcher<Thing>[] = []
  for (let i = 0; i < watchers; i++) {
    const watcher = cacher.watch({
      scope: kind === 'namespaces' ? `${PREFIX}ns-${String(i % NAMESPACES).padStart(3, '0')}/` : PREFIX,
      start: { from: 'revision', after: storage.next },
      bookmarks: true,
      ...(kind === 'selecting' ? { matches: (thing: Thing) => thing.name.length % 2 === i % 2 } : {})
    })
    watcher.onReadable(() => {
      taken += watcher.take().length
    })
    open.push(watcher)
  }
  await turn()
  const changes = 200
  const perChange = await measure(5, async (i) => {
    for (let n = 0; n < changes; n++) storage.tell(keyOf((i * changes + n) * 31 % items))
    await cacher.waitFresh(storage.next)
    await turn()
    await turn()
  }) / changes
  const expected = kind === 'all' ? 1 : kind === 'selecting' ? 0.5 : 1 / NAMESPACES
  if (taken !== 5 * 5 * changes * watchers * expected) throw new Error(`${taken} events arrived`)
  row(`a change told to ${watchers} watchers (${kind}), of ${items.toLocaleString('en')}`, perChange, `${(perChange * 1_000 / (watchers * expected)).toFixed(0)} ns for each that is told`)
  for (const watcher of open) watcher.close()
  await cacher.stop()
}

async function opening (items: number): Promise<void> {
  const { cacher, storage } = await start(items)
  const open: CacheWatcher<Thing>[] = []
  row(`open a watch with initial events, of ${items.toLocaleString('en')}`, await measure(1_000, () => {
    open.push(cacher.watch({ scope: PREFIX, start: { from: 'initial', bookmarkEnd: true }, bookmarks: true }))
  }), 'snapshot shared')
  for (const watcher of open.splice(0)) watcher.close()
  row(`a change after each opening, of ${items.toLocaleString('en')}`, await measure(500, async (i) => {
    cacher.watch({ scope: PREFIX, start: { from: 'initial', bookmarkEnd: true }, bookmarks: false }).close()
    storage.tell(keyOf(i * 31 % items))
    await cacher.waitFresh(storage.next)
  }), 'copies one chunk and the directory')
  const watcher = cacher.watch({ scope: PREFIX, start: { from: 'initial', bookmarkEnd: true }, bookmarks: false })
  const begin = performance.now()
  let taken = 0
  for (let events = watcher.take(500); events.length > 0; events = watcher.take(500)) taken += events.length
  row(`take initial events, of ${items.toLocaleString('en')}`, (performance.now() - begin) * 1_000 / taken, 'per event')
  await cacher.stop()
}

const alive = setInterval(() => {}, 1_000)
row('', NaN, 'microseconds')
for (const items of [1_000, ITEMS]) await reads(items)
await opening(ITEMS)
for (const watchers of [300, 3_000]) for (const kind of ['all', 'selecting', 'namespaces'] as const) await dispatch(ITEMS, watchers, kind)
process.stdout.write(`resident: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB\n`)
clearInterval(alive)
