import type { Test } from 'tap'
import type { Revision, Storage, StorageEvent } from '../../storage/interfaces.js'
import { failure, type OpenStorage } from './storage-under-test.js'
import { WatchReader, withPatience } from './watch-reader.js'

function bytes (text: string): Buffer {
  return Buffer.from(text)
}

function shown (event: StorageEvent): [string, string, string, Revision] {
  return [event.type, event.key, event.type === 'put' ? event.value.toString() : '', event.modRevision]
}

function follow (t: Test, storage: Storage, prefix: string, afterRevision: Revision): WatchReader {
  const reader = new WatchReader(storage.watch(prefix, { afterRevision }), afterRevision)
  t.teardown(() => { reader.watch.close() })
  return reader
}

/** Creates so many keys one after the other; answers the events they should cause. */
async function createMany (storage: Storage, prefix: string, count: number, from = 0): Promise<Array<[string, string, string, Revision]>> {
  const expected: Array<[string, string, string, Revision]> = []
  for (let i = from; i < from + count; i++) {
    const key = `${prefix}${i}`
    const { revision } = await storage.create(key, bytes(`${i}`))
    expected.push(['put', key, `${i}`, revision])
  }
  return expected
}

/** The part of the contract suite about watches; called by `storageSuite`. */
export function storageWatchSuite (t: Test, open: OpenStorage): void {
  t.test('a watch replays history after its revision and goes on live, in order', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const a = await storage.create(`${p}/a`, bytes('1'))
    const b = await storage.update(`${p}/a`, bytes('2'), { modRevision: a.revision })
    const c = await storage.delete(`${p}/a`, { modRevision: b.revision })
    const expected = [['put', `${p}/a`, '1', a.revision], ['put', `${p}/a`, '2', b.revision], ['delete', `${p}/a`, '', c.revision]]
    const fromStart = follow(t, storage, `${p}/`, start)
    const fromA = follow(t, storage, `${p}/`, a.revision)
    const live = follow(t, storage, `${p}/`, c.revision)
    t.same((await fromStart.count(3)).map(shown), expected)
    t.same((await fromA.count(2)).map(shown), expected.slice(1))
    const d = await storage.create(`${p}/a`, bytes('3'))
    expected.push(['put', `${p}/a`, '3', d.revision])
    t.same((await fromStart.count(4)).map(shown), expected)
    t.same((await fromA.count(3)).map(shown), expected.slice(1))
    t.same((await live.count(1)).map(shown), expected.slice(3))
  })

  t.test('a watch sees its prefix only', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const ns1 = follow(t, storage, `${p}/ns1/`, start)
    const key = follow(t, storage, `${p}/ns1/a`, start)
    for (const k of ['/ns10/a', '/ns1/a', '/ns1', '/ns0/z', '/ns1/b']) await storage.create(p + k, bytes('x'))
    const { revision } = await storage.create(`${p}/ns2/a`, bytes('x'))
    t.same((await ns1.through(revision)).map(e => e.key), [`${p}/ns1/a`, `${p}/ns1/b`])
    t.same((await key.through(revision)).map(e => e.key), [`${p}/ns1/a`])
  })

  t.test('a failed write is no event', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const reader = follow(t, storage, `${p}/`, start)
    const { revision } = await storage.create(`${p}/a`, bytes('1'))
    await failure(storage.create(`${p}/a`, bytes('2')), 'KeyExists')
    await failure(storage.update(`${p}/a`, bytes('2'), { modRevision: start }), 'Conflict')
    await failure(storage.delete(`${p}/a`, { modRevision: start }), 'Conflict')
    const last = await storage.delete(`${p}/a`, { modRevision: revision })
    t.same((await reader.through(last.revision)).map(e => e.type), ['put', 'delete'])
  })

  t.test('watches started in the middle of writing see every later change once: no seam between history and live', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const expected: Array<[string, string, string, Revision]> = []
    const readers: Array<{ reader: WatchReader, after: Revision }> = []
    await Promise.all(Array.from({ length: 8 }, async (_, worker) => {
      for (let round = 0; round < 4; round++) {
        expected.push(...await createMany(storage, `${p}/${worker}/`, 10, round * 10))
        // A start revision that was acknowledged just now, while the other writers go on; every other reader starts from history.
        const after = round % 2 === 0 ? expected.at(-1)?.[3] ?? start : start
        const reader = follow(t, storage, `${p}/`, after)
        readers.push({ reader, after })
        if (worker % 2 === 0) await reader.next()
      }
    }))
    expected.sort((a, b) => a[3] < b[3] ? -1 : 1)
    const { revision } = await storage.create(`${p}/end`, bytes(''))
    for (const { reader, after } of readers) {
      t.same((await reader.through(revision)).map(shown), [...expected.filter(e => e[3] > after), ['put', `${p}/end`, '', revision]])
    }
  })

  t.test('a watch that nobody reads for a while misses nothing and holds nobody up', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const slow = follow(t, storage, `${p}/`, start)
    const quick = follow(t, storage, `${p}/`, start)
    const first = await createMany(storage, `${p}/first/`, 1)
    await slow.count(1)
    const expected = [...first, ...(await Promise.all(Array.from({ length: 25 }, (_, i) => createMany(storage, `${p}/${i}/`, 60)))).flat()]
    expected.sort((a, b) => a[3] < b[3] ? -1 : 1)
    t.same((await quick.count(expected.length)).map(shown), expected)
    t.same((await slow.count(expected.length)).map(shown), expected)
    t.same((await slow.count(expected.length)).length, expected.length)
  })

  t.test('a progress request on a quiet watch brings an empty batch at the current revision', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const reader = follow(t, storage, `${p}/quiet/`, start)
    const { revision } = await storage.create(`${p}/elsewhere`, bytes('x'))
    for (let i = 0; i < 3; i++) {
      reader.watch.requestProgress()
      const batch = await reader.next()
      t.same(batch?.events, [])
      t.ok((batch?.revision ?? 0n) >= revision)
    }
    const later = await storage.create(`${p}/quiet/a`, bytes('x'))
    t.same((await reader.count(1)).map(shown), [['put', `${p}/quiet/a`, 'x', later.revision]])
  })

  t.test('progress requested while a read waits wakes it', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const revision = (await storage.create(`${p}/elsewhere`, bytes('x'))).revision
    const reader = follow(t, storage, `${p}/quiet/`, revision)
    const next = reader.next()
    reader.watch.requestProgress()
    t.ok(((await next)?.revision ?? 0n) >= revision)
  })

  t.test('progress never overtakes an event', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const reader = follow(t, storage, `${p}/`, start)
    let expected: Array<[string, string, string, Revision]> = []
    let writing = true
    const asking = (async () => {
      // WatchReader fails if an event comes after a progress batch declared its revision complete.
      while (writing) {
        reader.watch.requestProgress()
        await reader.next()
      }
    })()
    expected = (await Promise.all(Array.from({ length: 10 }, (_, i) => createMany(storage, `${p}/${i}/`, 15)))).flat()
    writing = false
    reader.watch.requestProgress()
    await asking
    expected.sort((a, b) => a[3] < b[3] ? -1 : 1)
    t.same((await reader.count(expected.length)).map(shown), expected)
  })

  t.test('a watch from a future revision is silent until then', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = (await storage.create(`${p}/before`, bytes('x'))).revision
    const after = start + 3n
    const reader = follow(t, storage, `${p}/`, after)
    const written = await createMany(storage, `${p}/k/`, 8)
    const expected = written.filter(e => e[3] > after)
    t.same((await reader.count(expected.length)).map(shown), expected)
  })

  t.test('a watch from before the compaction fails with Compacted, one from it works', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const written = await createMany(storage, `${p}/k/`, 6)
    const at = written[3]?.[3] ?? 0n
    await storage.compact(at)
    for (const after of [start, written[0]?.[3] ?? 0n]) {
      const reader = follow(t, storage, `${p}/`, after)
      const error = await failure(reader.next(), 'Compacted')
      t.ok(error.revision === undefined || error.revision >= at)
      reader.watch.close()
    }
    t.same((await follow(t, storage, `${p}/`, at).count(2)).map(shown), written.slice(4))
  })

  t.test('a live watch survives compaction', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const reader = follow(t, storage, `${p}/`, start)
    const expected: Array<[string, string, string, Revision]> = []
    for (let round = 0; round < 4; round++) {
      expected.push(...await createMany(storage, `${p}/${round}/`, 5))
      t.same((await reader.count(expected.length)).map(shown), expected)
      await storage.compact(expected.at(-1)?.[3] ?? 0n)
    }
  })

  t.test('closing a watch ends a waiting iteration cleanly, and closing again is fine', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const reader = follow(t, storage, `${p}/`, await storage.currentRevision())
    const end = reader.end()
    reader.watch.close()
    await end
    reader.watch.close()
    reader.watch.requestProgress()
    t.equal(await reader.next(), undefined)
  })

  t.test('a watch closed before its first read ends cleanly', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    await createMany(storage, `${p}/k/`, 3)
    const watch = storage.watch(`${p}/`, { afterRevision: start })
    watch.close()
    for await (const batch of watch) t.fail(`an event after close: ${batch.events.length}`)
  })

  t.test('leaving the loop closes the watch', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    await createMany(storage, `${p}/k/`, 3)
    const watch = storage.watch(`${p}/`, { afterRevision: start })
    const leave = (async () => {
      for await (const batch of watch) return batch.events.length
    })()
    t.ok((await withPatience(leave, () => 'the first batch') ?? 0) > 0)
    await createMany(storage, `${p}/k/`, 3, 3)
    const reader = new WatchReader(watch, start)
    t.equal(await reader.next(), undefined)
  })

  t.test('closing the store ends every watch cleanly', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const start = await storage.currentRevision()
    const waiting = [follow(t, storage, `${p}/`, start), follow(t, storage, `${p}/x`, start), follow(t, storage, `${p}/`, start + 1_000n)]
    const ends = waiting.map(reader => reader.end())
    const idle = follow(t, storage, `${p}/`, start)
    await storage.close()
    await Promise.all(ends)
    await idle.end()
    t.ok(await failure(new WatchReader(storage.watch(`${p}/`, { afterRevision: start }), start).next(), 'Closed'))
  })
}
