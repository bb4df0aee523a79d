import fc from 'fast-check'
import t, { type Test } from 'tap'
import { StorageError } from '../../storage/errors.js'
import type { Revision, Storage, StorageEvent, StoredValue } from '../../storage/interfaces.js'
import type { OpenStorage } from './storage-under-test.js'
import { WatchReader } from './watch-reader.js'

/** What a store must be: the list of its writes. Everything that a store can be asked follows from it. */
export class StorageModel {
  /** In revision order once `settle` has been called. */
  readonly events: StorageEvent[] = []

  add (event: StorageEvent): void {
    this.events.push(event)
  }

  /** Puts the writes of concurrent workers in order. Two writes with one revision are an error. */
  settle (): void {
    this.events.sort((a, b) => a.modRevision < b.modRevision ? -1 : 1)
    for (const [i, event] of this.events.entries()) {
      if (event.modRevision === this.events[i - 1]?.modRevision) throw new Error(`two writes have revision ${event.modRevision}`)
    }
  }

  /** The keys of a prefix at a revision, in byte order. */
  at (revision: Revision, prefix: string): string[] {
    const state = new Map<string, string>()
    for (const event of this.events) {
      if (event.modRevision > revision) break
      if (!event.key.startsWith(prefix)) continue
      if (event.type === 'put') state.set(event.key, shown(event))
      else state.delete(event.key)
    }
    return [...state].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(([, value]) => value)
  }

  /** What a watch delivers. */
  after (revision: Revision, prefix: string): string[] {
    return this.events.filter(event => event.modRevision > revision && event.key.startsWith(prefix)).map(shown)
  }
}

/** One line for a value or an event, so that differences are easy to read. */
function shown (event: StorageEvent | StoredValue): string {
  if ('type' in event && event.type === 'delete') return `${event.modRevision} delete ${event.key}`
  return `${event.modRevision} put ${event.key} ${event.value.toString()}`
}

/** What a worker does in one step; the numbers pick a key, a revision and so on from what there is at that time. */
export interface Step {
  readonly action: 'create' | 'update' | 'staleUpdate' | 'delete' | 'get' | 'list' | 'getPast' | 'page' | 'watch' | 'resume' | 'compact' | 'progress'
  readonly worker: number
  readonly key: number
  readonly pick: number
}

const keys = ['/a', '/a/1', '/a/10', '/a/2', '/a/1/x', '/b', '/b/1', '/é', '/b/\u{1F600}']
const prefixes = ['/', '/a', '/a/', '/a/1', '/b/', '/c/']

const weights: Array<[Step['action'], number]> = [
  ['create', 10], ['update', 12], ['staleUpdate', 3], ['delete', 7], ['get', 3], ['list', 3], ['getPast', 4], ['page', 3], ['watch', 2], ['resume', 2], ['compact', 1], ['progress', 2]
]

const step: fc.Arbitrary<Step> = fc.record({
  action: fc.oneof(...weights.map(([action, weight]) => ({ arbitrary: fc.constant(action), weight }))),
  worker: fc.nat({ max: 7 }),
  key: fc.nat({ max: keys.length - 1 }),
  pick: fc.nat({ max: 999 })
})

export interface StorageModelOptions {
  /** How many random histories; 5 if absent. */
  readonly runs?: number
  /** How many steps each has at least and at most; 600 to 1,500 if absent. */
  readonly steps?: readonly [number, number]
}

/** Random concurrent histories against the model; every read, every past revision and every watch has to agree with it. */
export function storageModelSuite (name: string, open: OpenStorage, { runs = 5, steps: [minLength, maxLength] = [600, 1_500] }: StorageModelOptions = {}): void {
  t.test(`${name}: random concurrent histories agree with the model`, async t => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength, maxLength, size: 'max' }), async steps => {
      await t.test(`${steps.length} steps`, async t => {
        const { storage, prefix = '' } = await open(t)
        await new History(t, storage, prefix).run(steps)
        t.pass('agrees')
        await storage.close()
      })
      return t.passing()
    }), { numRuns: runs, endOnFailure: true })
  })
}

/** One run of steps against one store. */
class History {
  readonly #t: Test
  readonly #storage: Storage
  readonly #prefix: string
  readonly #model = new StorageModel()
  /** The key and revision of every write that was acknowledged, in the order of acknowledgement. */
  readonly #acknowledged: Revision[] = []
  readonly #heads = new Map<string, Revision>()
  #writes = 0
  #newest: Revision = 0n
  /** The highest revision that a compaction was asked for. */
  #compacted: Revision = 0n
  /** Compared once the model is complete: a concurrent read cannot be judged before the writes around it are known. */
  readonly #checks: Array<() => void> = []
  readonly #watches: RunningWatch[] = []

  constructor (t: Test, storage: Storage, prefix: string) {
    this.#t = t
    this.#storage = storage
    this.#prefix = prefix
  }

  async run (steps: readonly Step[]): Promise<void> {
    const start = await this.#storage.currentRevision()
    this.#acknowledged.push(start)
    this.#watch('/', start)
    const workers = new Map<number, Step[]>()
    for (const step of steps) workers.set(step.worker, [...workers.get(step.worker) ?? [], step])
    await Promise.all([...workers.values()].map(async mine => {
      for (const step of mine) await this.#do(step)
    }))
    this.#model.settle()
    for (const check of this.#checks) check()
    await this.#checkEveryRevision()
    for (const watch of this.#watches) await this.#checkWatch(watch)
    await this.#checkReplays(start)
  }

  async #do ({ action, key, pick }: Step): Promise<void> {
    const prefix = this.#prefix + (prefixes[pick % prefixes.length] ?? '/')
    const name = this.#prefix + (keys[key] ?? '/a')
    const past = this.#acknowledged[Math.floor(pick / 1_000 * this.#acknowledged.length)] ?? 0n
    switch (action) {
      case 'create': return await this.#write(name, 'put', undefined)
      case 'update': return await this.#write(name, 'put', this.#heads.get(name) ?? past)
      case 'staleUpdate': return await this.#write(name, 'put', past)
      case 'delete': return await this.#write(name, 'delete', this.#heads.get(name) ?? past)
      case 'get': return await this.#get(name)
      case 'list': return await this.#list(prefix)
      case 'getPast': return await this.#past(past, async () => {
        const { value } = await this.#storage.get(name, { revision: past })
        this.#checks.push(() => { this.#same(value === undefined ? [] : [shown(value)], this.#model.at(past, name).filter(v => v.split(' ')[2] === name), `get ${name} at ${past}`) })
      })
      case 'page': return await this.#past(past, async () => {
        const limit = 1 + pick % 4
        const { items, remaining } = await this.#storage.list(prefix, { revision: past, limit, startKey: name })
        this.#checks.push(() => {
          const all = this.#model.at(past, prefix).filter(v => Buffer.compare(Buffer.from(v.split(' ')[2] ?? ''), Buffer.from(name)) >= 0)
          this.#same(items.map(shown), all.slice(0, limit), `page of ${prefix} from ${name} at ${past}`)
          this.#same([`${remaining}`], [`${Math.max(0, all.length - limit)}`], `remaining of ${prefix} from ${name} at ${past}`)
        })
      })
      case 'watch': return this.#watch(prefix.slice(this.#prefix.length), past)
      case 'resume': return this.#resume(pick)
      case 'progress': return this.#watches[pick % this.#watches.length]?.reader.watch.requestProgress()
      case 'compact': {
        // Mostly not to the very end, so that there is history to read.
        const revision = this.#acknowledged[Math.floor(pick / 1_500 * this.#acknowledged.length)] ?? 0n
        if (revision > this.#compacted) this.#compacted = revision
        return await this.#storage.compact(revision)
      }
    }
  }

  async #write (key: string, type: StorageEvent['type'], expected: Revision | undefined): Promise<void> {
    const value = Buffer.from(`v${this.#writes++}`)
    const acknowledgedBefore = this.#newest
    try {
      const { revision } = expected === undefined
        ? await this.#storage.create(key, value)
        : type === 'put' ? await this.#storage.update(key, value, { modRevision: expected }) : await this.#storage.delete(key, { modRevision: expected })
      if (revision <= acknowledgedBefore) throw new Error(`a write got revision ${revision} although ${acknowledgedBefore} had been acknowledged before it began`)
      this.#model.add(type === 'put' ? { type, key, value, modRevision: revision } : { type, key, modRevision: revision })
      this.#acknowledged.push(revision)
      if (revision > this.#newest) this.#newest = revision
      if (type === 'put') this.#heads.set(key, revision)
      else this.#heads.delete(key)
      this.#checks.push(() => {
        const before = this.#model.at(revision - 1n, key).find(v => v.split(' ')[2] === key)
        this.#same([before?.split(' ')[0] ?? 'nothing'], [expected === undefined ? 'nothing' : `${expected}`], `what the ${type} of ${key} at ${revision} replaced`)
      })
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== (expected === undefined ? 'KeyExists' : 'Conflict')) throw error
      const { current } = error
      if (current?.modRevision === expected) throw new Error(`the ${type} of ${key} at ${expected} was refused although the key was there`)
      if (current !== undefined) this.#heads.set(key, current.modRevision)
      else this.#heads.delete(key)
      this.#checks.push(() => {
        if (current === undefined) return
        const written = this.#model.events.find(event => event.modRevision === current.modRevision)
        this.#same([shown(current)], written === undefined ? [] : [shown(written)], `the current value of a refused write of ${key}`)
        const next = this.#model.events.find(event => event.key === key && event.modRevision > current.modRevision)
        if (next !== undefined && next.modRevision <= acknowledgedBefore) throw new Error(`a refused write of ${key} saw ${shown(current)}, which had been replaced at ${next.modRevision} before it began`)
      })
    }
  }

  async #get (key: string): Promise<void> {
    const acknowledgedBefore = this.#newest
    const { value, revision } = await this.#storage.get(key)
    if (revision < acknowledgedBefore) throw new Error(`a get answered revision ${revision} although ${acknowledgedBefore} had been acknowledged before it began`)
    this.#checks.push(() => { this.#same(value === undefined ? [] : [shown(value)], this.#model.at(revision, key).filter(v => v.split(' ')[2] === key), `get ${key}, answered at ${revision}`) })
  }

  async #list (prefix: string): Promise<void> {
    const acknowledgedBefore = this.#newest
    const { items, revision, remaining } = await this.#storage.list(prefix)
    if (revision < acknowledgedBefore) throw new Error(`a list answered revision ${revision} although ${acknowledgedBefore} had been acknowledged before it began`)
    this.#checks.push(() => {
      this.#same(items.map(shown), this.#model.at(revision, prefix), `list ${prefix}, answered at ${revision}`)
      this.#same([`${remaining}`], ['0'], `remaining of a whole list of ${prefix}`)
    })
  }

  /** A read of the past may fail if a compaction was asked for that removes it. */
  async #past (revision: Revision, read: () => Promise<void>): Promise<void> {
    try {
      await read()
    } catch (error) {
      if (!(error instanceof StorageError && error.code === 'Compacted' && revision < this.#compacted)) throw error
    }
  }

  #watch (suffix: string, after: Revision): void {
    const prefix = this.#prefix + suffix
    const reader = new WatchReader(this.#storage.watch(prefix, { afterRevision: after }), after)
    this.#t.teardown(() => { reader.watch.close() })
    const watch: RunningWatch = { prefix, after, reader, ended: false, running: Promise.resolve() }
    watch.running = this.#follow(watch)
    watch.running.catch(() => { /* thrown again at the end */ })
    this.#watches.push(watch)
  }

  /** Reads until the watch is closed or everything up to the end of the run is there. A watch that compaction overtook may end. */
  async #follow (watch: RunningWatch): Promise<void> {
    try {
      while (watch.until === undefined || watch.reader.revision < watch.until) {
        if (watch.until !== undefined) watch.reader.watch.requestProgress()
        if (await watch.reader.next() === undefined) {
          watch.ended = true
          return
        }
      }
    } catch (error) {
      if (!(error instanceof StorageError && error.code === 'Compacted' && watch.reader.revision + 1n < this.#compacted)) throw error
      watch.ended = true
    }
  }

  /** Ends a watch and starts another where it stopped, as a client does whose connection broke. */
  #resume (pick: number): void {
    const watch = this.#watches[pick % this.#watches.length]
    if (watch === undefined || watch.ended || watch === this.#watches[0]) return
    watch.ended = true
    watch.reader.watch.close()
    const last = watch.reader.events.at(-1)?.modRevision ?? watch.after
    this.#watch(watch.prefix.slice(this.#prefix.length), pick % 2 === 0 ? watch.reader.revision : last)
  }

  async #checkWatch (watch: RunningWatch): Promise<void> {
    watch.until = this.#newest
    watch.reader.watch.requestProgress()
    await watch.running
    const expected = this.#model.after(watch.after, watch.prefix)
    const events = watch.reader.events.map(shown)
    // A watch that was ended has seen everything up to where it was.
    this.#same(events, watch.ended ? expected.filter(e => BigInt(e.split(' ')[0] ?? '') <= watch.reader.revision) : expected, `the watch of ${watch.prefix} after ${watch.after}`)
    watch.reader.watch.close()
  }

  async #checkEveryRevision (): Promise<void> {
    for (const { modRevision: revision } of this.#model.events) {
      await this.#past(revision, async () => {
        this.#same((await this.#storage.list(`${this.#prefix}/`, { revision })).items.map(shown), this.#model.at(revision, `${this.#prefix}/`), `list at ${revision}`)
        if (revision < this.#compacted) throw new Error(`revision ${revision} can be read although history before ${this.#compacted} was compacted`)
      })
    }
    this.#same((await this.#storage.list(`${this.#prefix}/`)).items.map(shown), this.#model.at(this.#newest, `${this.#prefix}/`), 'the last list')
  }

  /** A watch can be resumed from any revision whose history is kept. */
  async #checkReplays (start: Revision): Promise<void> {
    const from = [start, ...this.#model.events.map(event => event.modRevision)].filter(revision => revision >= this.#compacted)
    for (const after of from.filter((_, i) => i % Math.ceil(from.length / 60) === 0)) {
      const reader = new WatchReader(this.#storage.watch(`${this.#prefix}/`, { afterRevision: after }), after)
      this.#same((await reader.through(this.#newest)).map(shown), this.#model.after(after, `${this.#prefix}/`), `a replay after ${after}`)
      reader.watch.close()
    }
  }

  #same (found: readonly string[], wanted: readonly string[], what: string): void {
    for (let i = 0; i < Math.max(found.length, wanted.length); i++) {
      if (found[i] !== wanted[i]) throw new Error(`${what}: item ${i} of ${found.length} is "${found[i]}", and the model has "${wanted[i]}" of ${wanted.length}`)
    }
  }
}

interface RunningWatch {
  readonly prefix: string
  readonly after: Revision
  readonly reader: WatchReader
  running: Promise<void>
  ended: boolean
  /** Set at the end of the run: where the watch may stop. */
  until?: Revision
}
