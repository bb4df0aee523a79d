/**
 * How fast the embedded storage is: `node --import=tsx hack/bench/storage-embedded.ts [directory]`.
 * The directory should be on the disk that matters; the system's temporary directory if absent. Prints a table.
 */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmbeddedStorage } from '../../storage/embedded/storage.js'
import type { Revision } from '../../storage/interfaces.js'

interface Row {
  readonly what: string
  readonly 'per second': number
  readonly 'p50 ms': number
  readonly 'p99 ms': number
}

const kilobyte = Buffer.alloc(1_024, 'x')
const rows: Row[] = []

/** Runs so many workers for a time; each call of `one` is one operation (or as many as it answers). */
async function measure (what: string, workers: number, one: (worker: number, i: number) => Promise<number | unknown>, forMs = 3_000): Promise<void> {
  const latencies: number[] = []
  let operations = 0
  const start = performance.now()
  await Promise.all(Array.from({ length: workers }, async (_, worker) => {
    for (let i = 0; performance.now() - start < forMs; i++) {
      const began = performance.now()
      const done = await one(worker, i)
      latencies.push(performance.now() - began)
      operations += typeof done === 'number' ? done : 1
    }
  }))
  const seconds = (performance.now() - start) / 1_000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => Number((latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(3))
  rows.push({ what, 'per second': Math.round(operations / seconds), 'p50 ms': at(0.5), 'p99 ms': at(0.99) })
}

const base = process.argv[2] ?? tmpdir()
const directory = await mkdtemp(join(base, 'annex-bench-'))
try {
  const file = await open(join(directory, 'raw'), 'w')
  await measure('the disk: write 4 KiB and fdatasync', 1, async (_, i) => {
    await file.write(kilobyte, 0, 1_024, i * 4_096)
    await file.datasync()
  })
  await file.close()

  const storage = await EmbeddedStorage.open({ directory: join(directory, 'store'), compactionIntervalMs: 0 })
  const key = (group: string, worker: number, i: number): string => `/registry/${group}/${worker}/${String(i).padStart(9, '0')}`
  for (const workers of [1, 8, 64, 256]) {
    await measure(`create 1 KB, ${workers} writers`, workers, async (worker, i) => await storage.create(key(`create-${workers}`, worker, i), kilobyte))
  }
  const heads = new Map<number, Revision>()
  await measure('update 1 KB, 64 writers, one key each', 64, async worker => {
    const modRevision = heads.get(worker)
    const name = key('update', worker, 0)
    heads.set(worker, (modRevision === undefined ? await storage.create(name, kilobyte) : await storage.update(name, kilobyte, { modRevision })).revision)
  })
  await measure('refused create (the key exists)', 1, async () => await storage.create(key('update', 0, 0), kilobyte).catch(() => undefined))
  await measure('get', 1, async (_, i) => await storage.get(key('create-64', i % 64, i % 100)))
  await measure('get at a past revision', 1, async (_, i) => await storage.get(key('create-64', i % 64, i % 100), { revision: 1_000n }))
  await measure('get of a key with a long history', 1, async (_, i) => await storage.get(key('update', i % 64, 0)))
  await measure('list of 500 of many, items', 1, async () => (await storage.list('/registry/create-64/', { limit: 500 })).items.length)
  await measure('list of everything, items', 1, async () => (await storage.list('/registry/create-64/')).items.length)
  const half = (await storage.currentRevision()) / 2n
  await measure('list of everything at half of history, items', 1, async () => (await storage.list('/registry/create-64/', { revision: half })).items.length)

  const from = await storage.currentRevision()
  const watches = Array.from({ length: 100 }, () => storage.watch('/registry/watched/', { afterRevision: from }))
  let delivered = 0
  const following = watches.map(async watch => { for await (const { events } of watch) delivered += events.length })
  await measure('create 1 KB, 64 writers, 100 watches follow', 64, async (worker, i) => await storage.create(key('watched', worker, i), kilobyte))
  const wanted = (await storage.list('/registry/watched/')).items.length * watches.length
  while (delivered < wanted) await new Promise(resolve => setTimeout(resolve, 5))
  for (const watch of watches) watch.close()
  await Promise.all(following)
  await measure('replay of history by a watch, events', 1, async () => {
    const watch = storage.watch('/registry/', { afterRevision: 1n })
    let events = 0
    for await (const batch of watch) {
      events += batch.events.length
      if (events >= 100_000) watch.close()
    }
    return events
  })

  const before = storage.stats()
  const compactedAt = performance.now()
  let worst = 0
  let compacting = true
  const writing = (async () => {
    for (let i = 0; compacting; i++) {
      const began = performance.now()
      await storage.create(key('during', 0, i), kilobyte)
      worst = Math.max(worst, performance.now() - began)
    }
  })()
  await storage.compact(before.revision)
  const compactionMs = performance.now() - compactedAt
  compacting = false
  await writing
  const after = storage.stats()
  console.table(rows)
  console.log(`compaction forgot ${before.logLines} lines and ${before.oldVersions - after.oldVersions} old versions in ${Math.round(compactionMs)} ms; the slowest create meanwhile took ${worst.toFixed(1)} ms`)
  console.log(`${after.keys} keys, file ${(after.fileBytes / (1 << 20)).toFixed(0)} MiB, ${after.commits} commits for ${after.writes} writes, resident ${(process.memoryUsage().rss / (1 << 20)).toFixed(0)} MiB`)
  const closedAt = performance.now()
  await storage.close()
  const reopenedAt = performance.now()
  const again = await EmbeddedStorage.open({ directory: join(directory, 'store') })
  console.log(`close ${(reopenedAt - closedAt).toFixed(1)} ms, open ${(performance.now() - reopenedAt).toFixed(1)} ms`)
  await again.close()
} finally {
  await rm(directory, { recursive: true, force: true })
}
