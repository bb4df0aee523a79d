import t, { type Test } from 'tap'
import { StorageError } from '../../storage/errors.js'
import type { Revision, Storage } from '../../storage/interfaces.js'
import { bytes, failure, type OpenStorage } from './storage-under-test.js'
import { storageWatchSuite } from './storage-watch.js'
import { storageWriteTests } from './storage-writes.js'

/**
 * The tests that every implementation of `Storage` passes. Nothing here assumes absolute revisions, nor that revisions are dense:
 * a shared etcd has other writers. Compaction is global there, so tests that share a store must not run at the same time.
 */
export function storageSuite (name: string, open: OpenStorage): void {
  t.test(`${name}: the storage contract`, async t => {
    storageWriteTests(t, open)
    readTests(t, open)
    historyTests(t, open)
    lifecycleTests(t, open)
    storageWatchSuite(t, open)
  })
}

function readTests (t: Test, open: OpenStorage): void {
  t.test('reading a key that never existed answers no value and a revision', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const got = await storage.get(`${p}/nothing`)
    t.equal(got.value, undefined)
    t.ok(got.revision >= 1n)
    const list = await storage.list(`${p}/`)
    t.same(list.items, [])
    t.equal(list.remaining, 0)
    t.ok(list.revision >= got.revision)
  })

  t.test('a list is in the order of the keys\' UTF-8 bytes', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const keys = ['/a', '/B', '/a/b', '/a-b', '/a.b', '/é', '/\uffff', '/\u{10000}', '/a0', '/Z', '/a/', '/~'].map(k => p + k)
    for (const key of keys) await storage.create(key, bytes(key))
    const expected = [...keys].sort((a, b) => Buffer.compare(bytes(a), bytes(b)))
    t.same((await storage.list(`${p}/`)).items.map(i => i.key), expected)
  })

  t.test('a prefix matches by bytes, no more and no less', async t => {
    const { storage, prefix: p = '' } = await open(t)
    for (const key of ['/pods/ns1/a', '/pods/ns1/b', '/pods/ns10/a', '/pods/ns', '/podsx', '/pods', '/poda']) await storage.create(p + key, bytes('x'))
    const table: Array<[string, string[]]> = [
      ['/pods/ns1/', ['/pods/ns1/a', '/pods/ns1/b']],
      ['/pods/ns1', ['/pods/ns1/a', '/pods/ns1/b', '/pods/ns10/a']],
      ['/pods/ns10/', ['/pods/ns10/a']],
      ['/pods/', ['/pods/ns', '/pods/ns1/a', '/pods/ns1/b', '/pods/ns10/a']],
      ['/pods', ['/pods', '/pods/ns', '/pods/ns1/a', '/pods/ns1/b', '/pods/ns10/a', '/podsx']],
      ['/pods/ns1/a', ['/pods/ns1/a']],
      ['/pods/ns2/', []]
    ]
    for (const [prefix, keys] of table) {
      const { items, remaining } = await storage.list(p + prefix)
      t.same(items.map(i => i.key), keys.map(k => p + k), prefix)
      t.equal(remaining, 0)
    }
  })

  t.test('limit and startKey cut a list, and remaining counts what follows', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const all = Array.from({ length: 10 }, (_, i) => `${p}/k/${i}`)
    await storage.create(`${p}/a`, bytes('before'))
    for (const key of all) await storage.create(key, bytes(key))
    await storage.create(`${p}/z`, bytes('after'))
    const now = (await storage.list(`${p}/k/`)).revision
    const table: Array<{ limit?: number, startKey?: string, from: number, to: number, remaining: number }> = [
      { from: 0, to: 10, remaining: 0 },
      { limit: 0, from: 0, to: 10, remaining: 0 },
      { limit: 3, from: 0, to: 3, remaining: 7 },
      { limit: 10, from: 0, to: 10, remaining: 0 },
      { limit: 11, from: 0, to: 10, remaining: 0 },
      { limit: 4, startKey: '/k/3', from: 3, to: 7, remaining: 3 },
      { limit: 4, startKey: '/k/3\0', from: 4, to: 8, remaining: 2 },
      { startKey: '/k/8', from: 8, to: 10, remaining: 0 },
      { limit: 2, startKey: '/k/8', from: 8, to: 10, remaining: 0 },
      { limit: 1, startKey: '/k/9', from: 9, to: 10, remaining: 0 },
      { startKey: '/k/9\0', from: 10, to: 10, remaining: 0 },
      { limit: 2, startKey: '/k/35', from: 4, to: 6, remaining: 4 }
    ]
    for (const { limit, startKey, from, to, remaining } of table) {
      for (const revision of [undefined, now]) {
        const options = { limit, startKey: startKey === undefined ? undefined : p + startKey, revision }
        const list = await storage.list(`${p}/k/`, options)
        const name = `limit ${limit}, start ${JSON.stringify(startKey)}, ${revision === undefined ? 'now' : 'at a revision'}`
        t.same(list.items.map(i => i.key), all.slice(from, to), name)
        t.equal(list.remaining, remaining, `${name}: remaining`)
      }
    }
  })

  t.test('every acknowledged write shows in the next read', async t => {
    const { storage, prefix: p = '' } = await open(t)
    await Promise.all(Array.from({ length: 8 }, async (_, worker) => {
      for (let i = 0; i < 15; i++) {
        const key = `${p}/${worker}/${i}`
        const { revision } = await storage.create(key, bytes('x'))
        const [got, list, current] = await Promise.all([storage.get(key), storage.list(`${p}/${worker}/`), storage.currentRevision()])
        if (got.value?.modRevision !== revision || got.revision < revision) throw new Error(`get does not show ${key} at ${revision}`)
        if (list.items.length !== i + 1 || list.revision < revision) throw new Error(`list does not show ${key} at ${revision}`)
        if (current < revision) throw new Error(`currentRevision is ${current} after ${revision} was acknowledged`)
      }
    }))
    t.equal((await storage.list(`${p}/`)).items.length, 120)
  })

  t.test('a signal that is aborted ends every read with Aborted', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const signal = AbortSignal.abort()
    await failure(storage.get(`${p}/a`, { signal }), 'Aborted')
    await failure(storage.list(`${p}/`, { signal }), 'Aborted')
    await failure(storage.currentRevision({ signal }), 'Aborted')
    await failure(storage.health({ signal }), 'Aborted')
    await storage.health()
    t.equal((await storage.get(`${p}/a`, { signal: new AbortController().signal })).value, undefined)
  })
}

function historyTests (t: Test, open: OpenStorage): void {
  /** Writes a small history and answers what the keys held after each revision. */
  async function writeHistory (storage: Storage, p: string): Promise<Array<{ revision: Revision, state: Record<string, string> }>> {
    const state: Record<string, string> = {}
    const revisions: Record<string, Revision> = {}
    const steps: Array<{ revision: Revision, state: Record<string, string> }> = []
    for (const [key, value] of [['/h/a', '1'], ['/h/b', '2'], ['/h/a', '3'], ['/h/c', '4'], ['/h/b', null], ['/h/a', '5'], ['/h/b', '6'], ['/h/a', null], ['/h/d', '7']] as const) {
      const k = p + key
      const modRevision = revisions[k]
      const { revision } = value === null
        ? await storage.delete(k, { modRevision: modRevision ?? 0n })
        : modRevision === undefined ? await storage.create(k, bytes(value)) : await storage.update(k, bytes(value), { modRevision })
      if (value === null) {
        delete state[k]
        delete revisions[k]
      } else {
        state[k] = value
        revisions[k] = revision
      }
      steps.push({ revision, state: { ...state } })
    }
    return steps
  }

  t.test('every past revision reads as it was', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const steps = await writeHistory(storage, p)
    for (const { revision, state } of steps) {
      const list = await storage.list(`${p}/h/`, { revision })
      t.same(Object.fromEntries(list.items.map(i => [i.key, i.value.toString()])), state)
      t.equal(list.revision, revision)
      t.ok(list.items.every(i => i.modRevision <= revision))
      for (const key of ['a', 'b', 'c', 'd'].map(k => `${p}/h/${k}`)) {
        const got = await storage.get(key, { revision })
        t.equal(got.value?.value.toString(), state[key])
        t.equal(got.revision, revision)
      }
      const page = await storage.list(`${p}/h/`, { revision, limit: 1 })
      t.equal(page.remaining, Math.max(0, Object.keys(state).length - 1))
    }
  })

  t.test('pages read at one revision are that revision, whatever is written in between', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const written: Array<[string, Revision]> = []
    for (let i = 0; i < 30; i++) {
      const key = `${p}/p/${String(i).padStart(2, '0')}`
      written.push([key, (await storage.create(key, bytes(key))).revision])
    }
    const first = await storage.list(`${p}/p/`, { limit: 7 })
    t.equal(first.remaining, 23)
    const items = [...first.items]
    let remaining = first.remaining
    for (let page = 0; remaining > 0; page++) {
      const [key, modRevision] = written[written.length - 1 - page] ?? ['', 0n]
      await storage.delete(key, { modRevision })
      await storage.create(`${p}/p/${page}new`, bytes('new'))
      const next = await storage.list(`${p}/p/`, { revision: first.revision, startKey: `${items.at(-1)?.key}\0`, limit: 7 })
      t.equal(next.remaining, remaining - next.items.length)
      t.equal(next.revision, first.revision)
      remaining = next.remaining
      items.push(...next.items)
    }
    t.same(items.map(i => [i.key, i.modRevision]), written)
  })

  t.test('a revision that has not happened fails with FutureRevision', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const { revision } = await storage.create(`${p}/a`, bytes('one'))
    const future = { revision: revision + 1_000_000n }
    for (const call of [() => storage.get(`${p}/a`, future), () => storage.list(`${p}/`, future)]) {
      const error = await failure(call(), 'FutureRevision')
      t.ok(error.revision === undefined || error.revision >= revision)
    }
  })

  t.test('compaction forgets what is older than its revision, and only that', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const steps = await writeHistory(storage, p)
    const at = steps[5]?.revision ?? 0n
    await storage.compact(at)
    for (const { revision, state } of steps) {
      if (revision < at) {
        for (const call of [() => storage.get(`${p}/h/a`, { revision }), () => storage.list(`${p}/h/`, { revision })]) {
          const error = await failure(call(), 'Compacted')
          t.ok(error.revision === undefined || error.revision >= at)
        }
      } else {
        const list = await storage.list(`${p}/h/`, { revision })
        t.same(Object.fromEntries(list.items.map(i => [i.key, i.value.toString()])), state)
      }
    }
    await storage.compact(steps[1]?.revision ?? 0n)
    await storage.compact(at)
    t.same((await storage.list(`${p}/h/`, { revision: at })).items.map(i => i.value.toString()), ['5', '4'], 'compacting backwards changes nothing')
  })

  t.test('compaction up to the newest revision keeps every live key', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const steps = await writeHistory(storage, p)
    const last = steps.at(-1)
    await storage.compact(last?.revision ?? 0n)
    const list = await storage.list(`${p}/h/`)
    t.same(Object.fromEntries(list.items.map(i => [i.key, i.value.toString()])), last?.state)
    const d = list.items.at(-1)
    t.equal(d?.modRevision, last?.revision)
    const { revision } = await storage.update(`${p}/h/d`, bytes('8'), { modRevision: d?.modRevision ?? 0n })
    t.same((await storage.list(`${p}/h/`, { revision })).items.map(i => i.value.toString()), ['6', '4', '8'])
    await storage.create(`${p}/h/a`, bytes('again'))
    t.equal((await storage.list(`${p}/h/`)).items.length, 4)
  })
}

function lifecycleTests (t: Test, open: OpenStorage): void {
  t.test('close is idempotent, and every call after it fails with Closed', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const { revision } = await storage.create(`${p}/a`, bytes('one'))
    await Promise.all([storage.close(), storage.close()])
    await storage.close()
    await failure(storage.get(`${p}/a`), 'Closed')
    await failure(storage.list(`${p}/`), 'Closed')
    await failure(storage.create(`${p}/b`, bytes('x')), 'Closed')
    await failure(storage.update(`${p}/a`, bytes('x'), { modRevision: revision }), 'Closed')
    await failure(storage.delete(`${p}/a`, { modRevision: revision }), 'Closed')
    await failure(storage.compact(revision), 'Closed')
    await failure(storage.currentRevision(), 'Closed')
    t.ok(await failure(storage.health(), 'Closed', 'Unavailable'))
  })

  t.test('close waits for the writes under way', async t => {
    const { storage, prefix: p = '' } = await open(t)
    let settled = 0
    const writes = Array.from({ length: 50 }, (_, i) => storage.create(`${p}/${i}`, bytes('x')).then(
      () => { settled++ },
      (error: unknown) => {
        if (!(error instanceof StorageError)) throw error
        settled++
      }))
    await storage.close()
    t.equal(settled, 50)
    await Promise.all(writes)
  })
}
