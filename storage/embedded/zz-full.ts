import { writeFileSync, rmSync } from 'node:fs'
import { EmbeddedStorage } from './storage.js'
process.on('unhandledRejection', e => { console.log('UNHANDLED', e) })
process.on('SIGXFSZ', () => {})
const dir = process.argv[2]!
const filler = process.argv[3]
const storage = await EmbeddedStorage.open({ directory: dir, compactionIntervalMs: 0 })
if (filler) writeFileSync(filler, Buffer.alloc(2 << 20))
let ok = 0, codes: Record<string, number> = {}
for (let round = 0; round < 30; round++) {
  const results = await Promise.allSettled(Array.from({ length: 10 }, (_, i) => storage.create(`/k/${round}/${i}`, Buffer.alloc(20_000, 'x'))))
  for (const r of results) if (r.status === 'fulfilled') ok++; else codes[(r.reason as any).code] = (codes[(r.reason as any).code] ?? 0) + 1
}
console.log(ok, codes, (await storage.list('/k/')).items.length, await storage.currentRevision())
console.log('health', await storage.health().catch(e => [e.code, e.message]))
console.log('small', await storage.create('/small', Buffer.from('x')).catch(e => [e.code, e.message]))
if (filler) rmSync(filler)
console.log('health', await storage.health().catch(e => [e.code, e.message]))
for (let i = 0; i < 20; i++) await storage.create(`/after/${i}`, Buffer.alloc(20_000, 'x')).catch(e => console.log(e.code))
console.log((await storage.list('/')).items.length, await storage.currentRevision(), storage.stats())
await storage.close()
const again = await EmbeddedStorage.open({ directory: dir })
console.log((await again.list('/')).items.length, await again.currentRevision())
await again.close()
