import type { Test } from 'tap'
import { StorageError } from '../../storage/errors.js'
import type { Revision } from '../../storage/interfaces.js'
import { bytes, failure, shown, type OpenStorage } from './storage-under-test.js'

/** Create, update and delete: what each promises alone and with others at the same time. */
export function storageWriteTests (t: Test, open: OpenStorage): void {
  t.test('a created key is read back with its value and the revision of its write', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const before = await storage.currentRevision()
    const { revision } = await storage.create(`${p}/a`, bytes('one'))
    t.ok(revision > before, 'the write raises the revision')
    const got = await storage.get(`${p}/a`)
    t.same(shown(got.value), [`${p}/a`, 'one', revision])
    t.ok(got.revision >= revision)
    t.ok(await storage.currentRevision() >= revision)
  })

  t.test('creating a key that exists fails with KeyExists and the value as it stands', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const { revision } = await storage.create(`${p}/a`, bytes('one'))
    const error = await failure(storage.create(`${p}/a`, bytes('two')), 'KeyExists')
    t.same(shown(error.current), [`${p}/a`, 'one', revision])
    t.equal(error.key, `${p}/a`)
    t.same(shown((await storage.get(`${p}/a`)).value), [`${p}/a`, 'one', revision])
  })

  t.test('an update at the right revision replaces the value and moves modRevision', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const first = await storage.create(`${p}/a`, bytes('one'))
    const second = await storage.update(`${p}/a`, bytes('two'), { modRevision: first.revision })
    t.ok(second.revision > first.revision)
    t.same(shown((await storage.get(`${p}/a`)).value), [`${p}/a`, 'two', second.revision])
  })

  t.test('an update at a stale revision fails with Conflict and the value as it stands', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const first = await storage.create(`${p}/a`, bytes('one'))
    const second = await storage.update(`${p}/a`, bytes('two'), { modRevision: first.revision })
    const error = await failure(storage.update(`${p}/a`, bytes('three'), { modRevision: first.revision }), 'Conflict')
    t.same(shown(error.current), [`${p}/a`, 'two', second.revision])
    t.same(shown((await storage.get(`${p}/a`)).value), [`${p}/a`, 'two', second.revision])
  })

  t.test('an update or delete of a key that does not exist fails with Conflict and no current value', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const { revision } = await storage.create(`${p}/a`, bytes('one'))
    for (const error of [
      await failure(storage.update(`${p}/b`, bytes('two'), { modRevision: revision }), 'Conflict'),
      await failure(storage.delete(`${p}/b`, { modRevision: revision }), 'Conflict')
    ]) {
      t.equal(error.current, undefined)
    }
    t.equal((await storage.get(`${p}/b`)).value, undefined)
  })

  t.test('a deleted key is gone, and its delete raises the revision', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const first = await storage.create(`${p}/a`, bytes('one'))
    const { revision } = await storage.delete(`${p}/a`, { modRevision: first.revision })
    t.ok(revision > first.revision)
    const got = await storage.get(`${p}/a`)
    t.equal(got.value, undefined)
    t.ok(got.revision >= revision)
    const error = await failure(storage.delete(`${p}/a`, { modRevision: first.revision }), 'Conflict')
    t.equal(error.current, undefined)
    t.same((await storage.list(`${p}/`)).items, [])
  })

  t.test('a delete at a stale revision fails with Conflict and removes nothing', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const first = await storage.create(`${p}/a`, bytes('one'))
    const second = await storage.update(`${p}/a`, bytes('two'), { modRevision: first.revision })
    const error = await failure(storage.delete(`${p}/a`, { modRevision: first.revision }), 'Conflict')
    t.same(shown(error.current), [`${p}/a`, 'two', second.revision])
    t.same(shown((await storage.get(`${p}/a`)).value), [`${p}/a`, 'two', second.revision])
  })

  t.test('a deleted key can be created again, and the old revision no longer matches', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const first = await storage.create(`${p}/a`, bytes('one'))
    await storage.delete(`${p}/a`, { modRevision: first.revision })
    const again = await storage.create(`${p}/a`, bytes('two'))
    t.same(shown((await storage.get(`${p}/a`)).value), [`${p}/a`, 'two', again.revision])
    await failure(storage.update(`${p}/a`, bytes('three'), { modRevision: first.revision }), 'Conflict')
    await failure(storage.delete(`${p}/a`, { modRevision: first.revision }), 'Conflict')
  })

  const values: Array<{ name: string, key: string, value: Buffer }> = [
    { name: 'no bytes', key: '/empty', value: Buffer.alloc(0) },
    { name: 'every byte', key: '/every-byte', value: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
    { name: 'one mebibyte', key: '/large', value: Buffer.alloc(1 << 20, 'abcdefgh') },
    { name: 'a key outside ASCII', key: '/ключ/☃/\u{1F600}', value: bytes('x') },
    { name: 'a long key', key: `/${'k'.repeat(700)}`, value: bytes('x') }
  ]
  for (const { name, key, value } of values) {
    t.test(`a value is kept byte for byte: ${name}`, async t => {
      const { storage, prefix: p = '' } = await open(t)
      const { revision } = await storage.create(p + key, value)
      const got = (await storage.get(p + key)).value
      t.equal(got?.key, p + key)
      t.ok(got?.value.equals(value))
      const listed = (await storage.list(p + key)).items
      t.equal(listed.length, 1)
      t.ok(listed[0]?.key === p + key && listed[0].value.equals(value) && listed[0].modRevision === revision)
    })
  }

  t.test('a value that is too large fails with TooLarge and nothing is written', async t => {
    const { storage, prefix: p = '', tooManyBytes = 2 << 20 } = await open(t)
    const { revision } = await storage.create(`${p}/a`, bytes('one'))
    const large = Buffer.alloc(tooManyBytes, 'x')
    await failure(storage.create(`${p}/b`, large), 'TooLarge')
    await failure(storage.update(`${p}/a`, large, { modRevision: revision }), 'TooLarge')
    t.same((await storage.list(`${p}/`)).items.map(shown), [[`${p}/a`, 'one', revision]])
  })

  t.test('of many concurrent creates of one key exactly one succeeds, and the others see its value', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => storage.create(`${p}/a`, bytes(`${i}`)).then(
      ({ revision }) => ({ i, revision }),
      (error: unknown) => error)))
    const winners = outcomes.filter(o => !(o instanceof Error)) as Array<{ i: number, revision: Revision }>
    t.equal(winners.length, 1)
    const winner = [`${p}/a`, `${winners[0]?.i}`, winners[0]?.revision]
    t.same(shown((await storage.get(`${p}/a`)).value), winner)
    for (const error of outcomes.filter(o => o instanceof Error)) {
      t.ok(error instanceof StorageError && error.code === 'KeyExists')
      t.same(shown((error as StorageError).current), winner)
    }
  })

  t.test('concurrent writes of different keys get different revisions, and each shows its own', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const revisions = await Promise.all(Array.from({ length: 200 }, async (_, i) => (await storage.create(`${p}/${i}`, bytes(`${i}`))).revision))
    t.equal(new Set(revisions).size, 200)
    const items = (await storage.list(`${p}/`)).items
    t.equal(items.length, 200)
    t.ok(items.every(item => item.modRevision === revisions[Number(item.value.toString())]))
  })

  t.test('no increment of a counter is lost under concurrent compare-and-swap', async t => {
    const { storage, prefix: p = '' } = await open(t)
    await storage.create(`${p}/counter`, bytes('0'))
    const workers = 16
    const each = 12
    const revisions: Revision[] = []
    await Promise.all(Array.from({ length: workers }, async () => {
      for (let done = 0; done < each;) {
        const { value } = await storage.get(`${p}/counter`)
        if (value === undefined) throw new Error('the counter is gone')
        try {
          const next = await storage.update(`${p}/counter`, bytes(`${Number(value.value.toString()) + 1}`), { modRevision: value.modRevision })
          revisions.push(next.revision)
          done++
        } catch (error) {
          if (!(error instanceof StorageError && error.code === 'Conflict')) throw error
        }
      }
    }))
    t.equal((await storage.get(`${p}/counter`)).value?.value.toString(), `${workers * each}`)
    t.equal(new Set(revisions).size, workers * each)
  })

  t.test('a Conflict under concurrency carries a value that was really there', async t => {
    const { storage, prefix: p = '' } = await open(t)
    const { revision } = await storage.create(`${p}/a`, bytes('start'))
    const outcomes = await Promise.allSettled(Array.from({ length: 16 }, (_, i) => i % 2 === 0
      ? storage.update(`${p}/a`, bytes(`${i}`), { modRevision: revision })
      : storage.delete(`${p}/a`, { modRevision: revision })))
    const won = outcomes.flatMap(o => o.status === 'fulfilled' ? [o.value.revision] : [])
    t.equal(won.length, 1)
    const now = shown((await storage.get(`${p}/a`)).value)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') t.same(shown((outcome.reason as StorageError).current), now)
    }
  })
}
