import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compileStorage } from '../../test/suites/compiled-storage.js'
import type { Revision, StorageEvent } from '../interfaces.js'
import { openDatabase } from './database.js'
import { EmbeddedStorage } from './storage.js'

const kills = 60
const writers = 24
const writer = 'test/suites/embedded-crash-writer'

interface Acknowledged {
  readonly type: string
  readonly key: string
  readonly digest: string
}

/** Lets a writer run and kills it; what it printed as acknowledged. */
async function runAndKill (script: string, directory: string, round: number, afterMs: number): Promise<Map<Revision, Acknowledged>> {
  const child = spawn(process.execPath, [script, directory, `${writers}`, `${round}`], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stderr.on('data', (data: Buffer) => { errors += data.toString() })
  child.stdout.on('data', (data: Buffer) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    output += data.toString()
  })
  const [code, signal] = await new Promise<[number | null, string | null]>(resolve => { child.on('close', (code, signal) => { resolve([code, signal]) }) })
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself with ${code}: ${errors}`)
  const acknowledged = new Map<Revision, Acknowledged>()
  // A line that was cut off is one that was never printed.
  for (const line of output.slice(0, output.lastIndexOf('\n')).split('\n').slice(1)) {
    const [type = '', revision = '', key = '', digest = ''] = line.split(' ')
    if (acknowledged.has(BigInt(revision))) throw new Error(`two acknowledged writes have revision ${revision}`)
    acknowledged.set(BigInt(revision), { type, key, digest })
  }
  return acknowledged
}

/** Throws unless the value is whole and was written for the key; answers its digest. */
function checkValue (key: string, value: Buffer): string {
  const text = value.toString()
  const digest = text.slice(0, 40)
  if (createHash('sha1').update(text.slice(41)).digest('hex') !== digest || text.slice(41).split(' ')[0] !== key) throw new Error(`the value of ${key} is torn: ${text.slice(0, 100)}`)
  return digest
}

async function replay (storage: EmbeddedStorage, afterRevision: Revision, through: Revision): Promise<StorageEvent[]> {
  const events: StorageEvent[] = []
  const watch = storage.watch('/', { afterRevision })
  watch.requestProgress()
  for await (const batch of watch) {
    events.push(...batch.events)
    if (batch.revision >= through) break
  }
  return events
}

/** Checks the indexes against the log, in the files themselves. */
async function checkTables (t: Test, directory: string): Promise<void> {
  const { root, current, dead, history, log, meta } = await openDatabase(directory)
  try {
    const compact = meta.get(Buffer.from('compact'))?.readBigUInt64BE() ?? 1n
    const forgotten = meta.get(Buffer.from('forgotten'))?.readBigUInt64BE() ?? 1n
    const lines = new Map<Revision, { type: number, key: string }>()
    for (const { key, value } of log.getRange({})) lines.set(key.readBigUInt64BE(), { type: value[8] ?? 9, key: value.toString('utf8', 11, 11 + value.readUInt16BE(9)) })
    const referenced = new Set<Revision>()
    const refer = (what: string, key: string, revision: Revision, type: number): void => {
      const line = lines.get(revision)
      if (line?.key !== key || line.type !== type) throw new Error(`${what} has ${key} at ${revision}, and the log has ${JSON.stringify(line)} there`)
      referenced.add(revision)
    }
    const alive = new Set<string>()
    for (const { key, value } of current.getRange({})) {
      refer('current', key.toString(), value.readBigUInt64BE(), 1)
      alive.add(key.toString())
    }
    for (const { key, value } of dead.getRange({})) {
      refer('dead', key.toString(), value.readBigUInt64BE(), 0)
      if (alive.has(key.toString())) throw new Error(`${key.toString()} is both alive and dead`)
    }
    for (const { key, value } of history.getRange({})) refer('history', key.toString('utf8', 0, key.length - 9), key.readBigUInt64BE(key.length - 8), value[0] ?? 9)
    const unreferenced = [...lines].filter(([revision]) => !referenced.has(revision))
    // The delete at the compacted revision keeps its line for watches.
    t.ok(unreferenced.every(([revision, line]) => line.type === 0 && (revision === compact || revision === forgotten)), 'every line of the log is a version of its key')
    const newest = [...lines.keys()].at(-1) ?? 1n
    for (let revision = compact > 1n ? compact : 2n; revision <= newest; revision++) if (!lines.has(revision)) throw new Error(`the log has no line for revision ${revision}, and history is kept from ${compact} to ${newest}`)
  } finally {
    await root.close()
  }
}

t.test(`after each of ${kills} kills every acknowledged write is there, and nothing is torn`, async t => {
  const script = join(await compileStorage(join(t.testdir(), 'code'), [`${writer}.ts`]), `${writer}.js`)
  const directory = join(t.testdirName, 'store')
  let revision = 1n
  let total = 0
  let unacknowledged = 0
  const state = new Map<string, string>()
  for (let round = 0; round < kills; round++) {
    const acknowledged = await runAndKill(script, directory, round, 5 + Math.random() * 120)
    const storage = await EmbeddedStorage.open({ directory, compactionIntervalMs: 0 })
    const now = await storage.currentRevision()
    const events = await replay(storage, revision, now)
    let expected = revision
    for (const event of events) {
      if (event.modRevision !== ++expected) throw new Error(`revision ${expected} is missing in the log: ${event.modRevision} comes instead`)
      const digest = event.type === 'put' ? checkValue(event.key, event.value) : ''
      const promised = acknowledged.get(event.modRevision)
      if (promised === undefined) unacknowledged++
      else if (promised.type !== event.type || promised.key !== event.key || promised.digest !== digest) throw new Error(`revision ${event.modRevision} was acknowledged as ${JSON.stringify(promised)} and is ${event.type} ${event.key} ${digest}`)
      acknowledged.delete(event.modRevision)
      total++
      if (event.type === 'put') state.set(event.key, `${event.modRevision} ${digest}`)
      else state.delete(event.key)
    }
    if (acknowledged.size > 0) throw new Error(`lost: ${JSON.stringify([...acknowledged].slice(0, 5), (_, value: unknown) => typeof value === 'bigint' ? `${value}` : value)}`)
    const { items } = await storage.list('/')
    const found = items.map(item => [item.key, `${item.modRevision} ${checkValue(item.key, item.value)}`])
    const wanted = [...state].sort(([a], [b]) => a < b ? -1 : 1)
    if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`after kill ${round} the keys are not what the log says`)
    revision = now
    await storage.close()
    if (round % 10 === 9) await checkTables(t, directory)
  }
  t.ok(total > kills, `${total} writes survived, ${unacknowledged} of them unacknowledged`)
})
