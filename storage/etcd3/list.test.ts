import type { IKeyValue, IRangeRequest, IRangeResponse } from 'etcd3'
import t from 'tap'
import { StorageError } from '../errors.js'
import { listPages, type ReadRange } from './list.js'
import { progressIndexKey, progressKey } from './keys.js'

/** Answers ranges over some keys as etcd does, and keeps the requests. */
function rangeOver (keys: Array<string | Buffer>, valueBytes: number, interrupt: (request: IRangeRequest, n: number) => void = () => undefined): { read: ReadRange, requests: IRangeRequest[], replyBytes: number[] } {
  const sorted = keys.map(key => Buffer.from(key as string)).sort((a, b) => a.compare(b))
  const requests: IRangeRequest[] = []
  const replyBytes: number[] = []
  const read: ReadRange = async request => {
    interrupt(request, requests.length)
    requests.push(request)
    const { key = Buffer.alloc(0), range_end: end = Buffer.alloc(0), limit = 0, count_only: countOnly = false } = request
    const matching = sorted.filter(k => k.compare(key) >= 0 && k.compare(end) < 0)
    const kvs = matching.slice(0, countOnly ? 0 : Number(limit)).map((k): IKeyValue => ({ key: k, value: Buffer.alloc(valueBytes), mod_revision: '7', create_revision: '7', version: '1', lease: '0' }))
    replyBytes.push(kvs.length * valueBytes)
    return { header: { revision: '100' }, kvs, more: kvs.length < matching.length, count: `${matching.length}` } as IRangeResponse
  }
  return { read, requests, replyBytes }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `/k/${String(i).padStart(6, '0')}`)

t.test('a long list is read in pages of one revision whose size follows the size of the values', async t => {
  for (const { count, valueBytes, pages } of [{ count: 30_000, valueBytes: 10, pages: 4 }, { count: 3_000, valueBytes: 20_000, pages: 15 }, { count: 200, valueBytes: 10, pages: 1 }]) {
    const { read, requests, replyBytes } = rangeOver(names(count), valueBytes)
    const { items, revision, remaining } = await listPages('/k/', {}, read)
    t.same([items.length, revision, remaining], [count, 100n, 0])
    t.equal(new Set(items.map(i => i.key)).size, count)
    t.ok(requests.length >= pages - 1 && requests.length <= pages + 1, `${requests.length} pages`)
    t.same(requests.map(r => r.revision), [undefined, ...Array(requests.length - 1).fill('100')])
    t.ok(Math.max(...replyBytes) <= 5_000_000)
  }
})

t.test('a limit above the size of a page is met exactly', async t => {
  const { items, remaining } = await listPages('/k/', { limit: 700 }, rangeOver(names(1_000), 10).read)
  t.same([items.length, remaining], [700, 300])
})

t.test('the storage\'s own keys are not listed, fill no limit and are not counted', async t => {
  const own = ['/k/a/', '/k/b/', '/k/b'].map(progressKey)
  const { read } = rangeOver(['/k/a', '/k/b', ...own, ...own.map(progressIndexKey), '/k/b0', '/k/c', '/k/d'], 1)
  const all = ['/k/a', '/k/b', '/k/b0', '/k/c', '/k/d']
  t.same((await listPages('/k/', {}, read)).items.map(i => i.key), all)
  for (let limit = 1; limit <= 6; limit++) {
    const { items, remaining } = await listPages('/k/', { limit }, read)
    t.same(items.map(i => i.key), all.slice(0, limit))
    t.equal(remaining, Math.max(0, 5 - limit), `remaining after ${limit}`)
  }
})

t.test('a list of now begins again when its revision is compacted under it, a list at a revision does not', async t => {
  const compacted = new StorageError('Compacted', 'compacted')
  const once = rangeOver(names(600), 10, (request, n) => { if (request.revision !== undefined && n === 1) throw compacted })
  t.equal((await listPages('/k/', {}, once.read).catch(async () => await listPages('/k/', {}, once.read))).items.length, 600)
  const always = rangeOver(names(600), 10, request => { if (request.revision !== undefined) throw compacted })
  await t.rejects(listPages('/k/', {}, always.read), compacted)
  t.equal(always.requests.length, 4, 'and does not begin for ever')
  await t.rejects(listPages('/k/', { revision: 50n }, always.read), compacted)
  t.equal(always.requests.length, 4)
})
