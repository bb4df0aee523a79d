import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { startTcpProxy } from '../../test/fixtures/tcp-proxy.js'
import { failure } from '../../test/suites/storage-under-test.js'
import type { StorageError } from '../errors.js'
import { eventually, object, open } from './test-storage.js'

testEtcd('a write whose answer is lost is read back, and never sent twice', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const direct = await open(t, etcd.endpoint)
  const proxy = await startTcpProxy(t, etcd.port)
  const operations: string[] = []
  const storage = await open(t, `http://127.0.0.1:${proxy.port}`, { onRequest: (operation, _, error) => { operations.push(error === undefined ? operation : `${operation} ${error}`) } })
  const trusting = await open(t, `http://127.0.0.1:${proxy.port}`, { provesAuthorship: () => true })
  /** Both stores have a connection, so that what follows goes over it at once. */
  const connected = async (): Promise<void> => { await Promise.all([storage.health(), trusting.health()]) }

  /** Starts a write whose answer will not arrive, and cuts the connection once `reached` says that etcd has executed it. */
  async function lose<T> (write: () => Promise<T>, reached: () => Promise<boolean>): Promise<T> {
    await connected()
    proxy.pause('toClient')
    const writing = write()
    writing.catch(() => undefined)
    await eventually(reached, done => done)
    proxy.cut()
    proxy.resume()
    return await writing
  }
  const value = async (key: string): Promise<string | undefined> => (await direct.get(key)).value?.value.toString()

  await t.test('a create of an object with a uid succeeds with its revision', async t => {
    const { revision } = await lose(async () => await storage.create('/k/a', object('a')), async () => await value('/k/a') !== undefined)
    t.equal((await direct.get('/k/a')).value?.modRevision, revision)
    t.same(operations, ['health', 'readBack', 'create'])
  })

  await t.test('a create of bytes that anybody may write is unknown', async t => {
    const error = await failure(lose(async () => await storage.create('/k/b', Buffer.from('b')), async () => await value('/k/b') !== undefined), 'OutcomeUnknown')
    t.equal(error.key, '/k/b')
    t.match(error.message, 'somebody else may have written the same')
  })

  await t.test('an update is unknown, or a success if the caller says that its bytes are unique', async t => {
    const first = await direct.create('/k/c', Buffer.from('1'))
    await failure(lose(async () => await storage.update('/k/c', Buffer.from('2'), { modRevision: first.revision }), async () => await value('/k/c') === '2'), 'OutcomeUnknown')
    const modRevision = (await direct.get('/k/c')).value?.modRevision ?? 0n
    const { revision } = await lose(async () => await trusting.update('/k/c', Buffer.from('3'), { modRevision }), async () => await value('/k/c') === '3')
    t.equal((await direct.get('/k/c')).value?.modRevision, revision)
  })

  await t.test('a delete is unknown when the key is gone', async () => {
    const { revision } = await direct.create('/k/d', Buffer.from('1'))
    await failure(lose(async () => { await storage.delete('/k/d', { modRevision: revision }) }, async () => await value('/k/d') === undefined), 'OutcomeUnknown')
  })

  /** Starts a write that does not reach etcd before somebody else has done what `other` does. */
  async function overtake (write: () => Promise<unknown>, other: () => Promise<unknown>): Promise<StorageError> {
    await connected()
    proxy.pause('toServer')
    const sent = proxy.more('toServer', 20)
    const failed = failure(write(), 'Conflict', 'OutcomeUnknown')
    failed.catch(() => undefined)
    await sent
    await other()
    proxy.cut()
    proxy.resume()
    return await failed
  }

  await t.test('an update or delete that somebody else overtook is a Conflict with the current value', async t => {
    for (const write of ['update', 'delete'] as const) {
      const key = `/k/overtaken/${write}`
      const { revision } = await direct.create(key, Buffer.from('1'))
      let modRevision = 0n
      const error = await overtake(
        async () => write === 'update' ? await storage.update(key, Buffer.from('2'), { modRevision: revision }) : await storage.delete(key, { modRevision: revision }),
        async () => { modRevision = (await direct.update(key, Buffer.from('3'), { modRevision: revision })).revision })
      t.equal(error.code, 'Conflict')
      t.same([error.current?.value.toString(), error.current?.modRevision], ['3', modRevision])
    }
  })

  await t.test('a write that does not show is unknown: it may still be under way', async t => {
    const { revision } = await direct.create('/k/still', Buffer.from('1'))
    for (const write of [
      async () => await storage.create('/k/absent', object('absent')),
      async () => await storage.update('/k/still', Buffer.from('2'), { modRevision: revision }),
      async () => await storage.delete('/k/still', { modRevision: revision })
    ]) t.equal((await overtake(write, async () => undefined)).code, 'OutcomeUnknown')
    t.equal(await value('/k/still'), '1')
  })
})
