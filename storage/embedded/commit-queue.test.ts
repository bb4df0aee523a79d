import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { failure } from '../../test/suites/storage-under-test.js'
import type { Revision } from '../interfaces.js'
import { EmbeddedStorage } from './storage.js'

async function open (t: Test): Promise<EmbeddedStorage> {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  return storage
}

/** Holds up this thread, so that LMDB's thread finishes a commit that this one does not know of yet. */
function sleep (ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

t.test('no read shows a commit that has not been acknowledged, even if LMDB shows it', async t => {
  const storage = await open(t)
  let removed: Revision = (await storage.create('/removed', Buffer.from('1'))).revision
  let changed: Revision = (await storage.create('/changed', Buffer.from('1'))).revision
  for (let round = 0; round < 8; round++) {
    const before = await storage.currentRevision()
    let acknowledged = 0
    const writes = Promise.all([
      storage.delete('/removed', { modRevision: removed }),
      storage.update('/changed', Buffer.from(`${round}`), { modRevision: changed }),
      storage.create(`/added/${round}`, Buffer.from('x'))
    ].map(async write => {
      const { revision } = await write
      acknowledged++
      return revision
    }))
    // The commit starts in one of the next turns; after each, LMDB gets the time to finish it, and then these reads come before its answer.
    for (let turn = 0; turn < 4 && acknowledged === 0; turn++) {
      sleep(15)
      const [list, gone, old, added, page, revision] = await Promise.all([
        storage.list('/'), storage.get('/removed'), storage.get('/changed'), storage.get(`/added/${round}`), storage.list('/', { limit: 1 }), storage.currentRevision()
      ])
      if (acknowledged > 0) break
      t.same(list.items.map(item => item.modRevision).filter(r => r === removed || r === changed).length, 2)
      t.equal(list.items.length, 2 + round)
      t.equal(page.remaining, 1 + round)
      t.equal(gone.value?.modRevision, removed)
      t.equal(old.value?.modRevision, changed)
      t.equal(added.value, undefined)
      t.ok([list.revision, gone.revision, old.revision, added.revision, revision].every(r => r === before))
      await nextTurn()
    }
    const revisions = await writes
    t.same(revisions, [before + 1n, before + 2n, before + 3n])
    t.equal((await storage.get('/removed')).value, undefined)
    changed = revisions[1] ?? 0n
    removed = (await storage.create('/removed', Buffer.from('1'))).revision
  }
})

t.test('writes queued in one turn share a commit, those of one key do not', async t => {
  const storage = await open(t)
  const { commits } = storage.stats()
  await Promise.all(Array.from({ length: 100 }, (_, i) => storage.create(`/${i}`, Buffer.from('x'))))
  t.equal(storage.stats().commits, commits + 1)
  t.equal(storage.stats().lastCommitWrites, 100)
  const { revision } = await storage.create('/a', Buffer.from('1'))
  const removal = storage.delete('/a', { modRevision: revision })
  const creation = storage.create('/a', Buffer.from('2'))
  t.same([await removal, await creation], [{ revision: revision + 1n }, { revision: revision + 2n }], 'the order of one key is kept')
})

t.test('a refused write of a key that nothing is being done to needs no commit', async t => {
  const storage = await open(t)
  await storage.create('/a', Buffer.from('1'))
  const { commits } = storage.stats()
  const other = storage.create('/b', Buffer.from('1'))
  await failure(storage.create('/a', Buffer.from('2')), 'KeyExists')
  t.equal(storage.stats().commits, commits)
  await other
})

t.test('a write that is larger than a transaction takes is split, and nothing is lost', async t => {
  const storage = await open(t)
  const { commits } = storage.stats()
  const value = Buffer.alloc(1 << 20, 'x')
  await Promise.all(Array.from({ length: 20 }, (_, i) => storage.create(`/${i}`, value)))
  t.ok(storage.stats().commits > commits + 1)
  t.equal((await storage.list('/')).items.length, 20)
})

t.test('changing a buffer after the call changes nothing in the store', async t => {
  const storage = await open(t)
  const value = Buffer.from('before')
  const write = storage.create('/a', value)
  value.fill('x')
  await write
  t.equal((await storage.get('/a')).value?.value.toString(), 'before')
})
