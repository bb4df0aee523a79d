import fc from 'fast-check'
import type { IKeyValue } from 'etcd3'
import t from 'tap'
import { StorageError } from '../errors.js'
import type { Revision } from '../interfaces.js'
import { hasOwnUid, settle, type Unsettled } from './outcome.js'

/** One key of an etcd, with all its versions. */
class OneKey {
  readonly history: Array<{ revision: bigint, kv: IKeyValue | undefined }> = [{ revision: 1n, kv: undefined }]
  revision = 1n

  get current (): IKeyValue | undefined {
    return this.history.at(-1)?.kv
  }

  put (value: string): bigint {
    this.revision++
    const before = this.current
    const mod = this.revision.toString()
    this.history.push({ revision: this.revision, kv: { key: Buffer.from('k'), value: Buffer.from(value), lease: '0', mod_revision: mod, create_revision: before?.create_revision ?? mod, version: `${Number(before?.version ?? 0) + 1}` } })
    return this.revision
  }

  delete (): bigint {
    this.history.push({ revision: ++this.revision, kv: undefined })
    return this.revision
  }

  at (revision = this.revision): IKeyValue | undefined {
    return this.history.filter(h => h.revision <= revision).at(-1)?.kv
  }

  /** What our transaction does when it reaches etcd. */
  apply (write: Unsettled): bigint | undefined {
    const mod = BigInt(this.current?.mod_revision ?? 0)
    if (mod !== (write.operation === 'create' ? 0n : write.modRevision)) return undefined
    return write.operation === 'delete' ? this.delete() : this.put(write.value.toString())
  }
}

type Result = { revision: Revision } | StorageError

async function readBack (key: OneKey, write: Unsettled, proves: boolean): Promise<Result> {
  return await settle(write, async (_, revision) => key.at(revision), () => proves, new Error('no answer')).catch((error: unknown) => {
    if (error instanceof StorageError) return error
    throw error
  })
}

const others = fc.array(fc.constantFrom('put a', 'put b', 'put ours', 'delete'), { maxLength: 6 })

t.test('whatever others do meanwhile, a claimed success happened and a claimed Conflict cannot happen any more', async t => {
  const seen = new Map<string, number>()
  await fc.assert(fc.asyncProperty(
    fc.constantFrom('create' as const, 'update' as const, 'delete' as const), others, others, others, fc.boolean(), fc.boolean(),
    async (operation, before, between, after, arrives, unique) => {
      const key = new OneKey()
      const other = (op: string): void => {
        if (op === 'delete') {
          if (key.current !== undefined) key.delete()
        } else if (!unique || op !== 'put ours') {
          key.put(op.slice('put '.length))
        }
      }
      before.forEach(other)
      if (operation !== 'create' && key.current === undefined) key.put('a')
      if (operation === 'create' && key.current !== undefined) key.delete()
      const modRevision = BigInt(key.current?.mod_revision ?? 0)
      const value = Buffer.from('ours')
      const write: Unsettled = operation === 'create' ? { operation, key: 'k', value } : operation === 'update' ? { operation, key: 'k', value, modRevision } : { operation, key: 'k', modRevision }
      between.forEach(other)
      const written = arrives ? key.apply(write) : undefined
      after.forEach(other)
      const result = await readBack(key, write, unique)
      const outcome = result instanceof StorageError ? result.code : 'success'
      seen.set(`${operation} ${outcome}`, (seen.get(`${operation} ${outcome}`) ?? 0) + 1)
      if (!(result instanceof StorageError)) return written === result.revision
      if (result.code === 'Conflict') return written === undefined && key.current !== undefined && key.apply(write) === undefined && result.current?.modRevision === BigInt(key.current.mod_revision)
      return result.code === 'OutcomeUnknown'
    }), { numRuns: 2_000 })
  t.same([...seen.keys()].sort(), ['create OutcomeUnknown', 'create success', 'delete Conflict', 'delete OutcomeUnknown', 'update Conflict', 'update OutcomeUnknown', 'update success'])
})

t.test('a write that is there under later writes is found in the history', async t => {
  const key = new OneKey()
  const modRevision = key.put('a')
  const write = { operation: 'update', key: 'k', value: Buffer.from('ours'), modRevision } as const
  const revision = key.apply(write)
  for (let i = 0; i < 10; i++) key.put(`${i}`)
  t.same(await readBack(key, write, true), { revision })
  for (let i = 0; i < 40; i++) key.put(`${i}`)
  t.equal((await readBack(key, write, true) as StorageError).code, 'OutcomeUnknown', 'the search is bounded')
})

t.test('the same bytes do not prove authorship unless nobody else can have written them', async t => {
  const key = new OneKey()
  const modRevision = key.put('5')
  const write = { operation: 'update', key: 'k', value: Buffer.from('6'), modRevision } as const
  key.put('6')
  t.equal((await readBack(key, write, false) as StorageError).code, 'OutcomeUnknown')
})

t.test('reading back that fails leaves the outcome unknown, with the reason', async t => {
  for (const code of ['Unavailable', 'Compacted', 'Closed'] as const) {
    const write = { operation: 'delete', key: 'k', modRevision: 3n } as const
    const error = await settle(write, async () => { throw new StorageError(code, 'because') }, () => true, new Error('no answer')).catch((e: unknown) => e)
    t.ok(error instanceof StorageError && error.code === 'OutcomeUnknown' && error.message.endsWith('because'))
  }
})

t.test('only a create of an object with a uid is unique by itself', async t => {
  const object = (metadata: object): Buffer => Buffer.from(JSON.stringify({ kind: 'Flunder', metadata }))
  t.ok(hasOwnUid('create', object({ uid: '6b2f' })))
  t.notOk(hasOwnUid('update', object({ uid: '6b2f' })))
  t.notOk(hasOwnUid('create', object({ uid: '' })))
  t.notOk(hasOwnUid('create', object({ ownerReferences: [{ uid: '6b2f' }] })))
  t.notOk(hasOwnUid('create', Buffer.from('k8s\0{"metadata":{"uid":"6b2f"}}')))
  t.notOk(hasOwnUid('create', Buffer.from('null')))
})
