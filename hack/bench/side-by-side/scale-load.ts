import { streamsPerSession, type Answer, type Call, type Connection } from './connection.js'
import { compareDelivery, eventKey, type Delivery, type Received, type Selection, type Write } from './scale-events.js'
import { flunder, inParallel, json, parse, post, readCollection, storedName } from './scene.js'

export interface ScaleOptions {
  readonly stored: number
  readonly watchers: number
  /** How long reads and writes go on after every watch is open. */
  readonly seconds: number
}

export interface ScaleResult {
  readonly requests: number
  /** Answers other than success, broken streams, watches that ended. */
  readonly failed: number
  /** What the first of them said. */
  readonly firstFailure: string | undefined
  readonly writes: number
  readonly delivery: Delivery
  /** Milliseconds, of reads and writes together. */
  readonly p50: number
  readonly p99: number
  readonly openSeconds: number
  readonly seconds: number
}

const readers = 8
const writers = 4
/** Objects that are changed again and again. Each is one writer's alone, so that what a write found is known. */
const hotObjects = 200
const deadlineMs = 120_000
const newline = 10
const revisionField = Buffer.from('"resourceVersion":"')

/** Reads and writes while so many watches are open, each of which must see every event of its selection exactly once. */
export async function scaleLoad (connection: Connection, { stored, watchers, seconds }: ScaleOptions): Promise<ScaleResult> {
  let requests = 0
  const failures: string[] = []
  const latencies: number[] = []
  const ask = async (call: Call, status: number): Promise<Answer | undefined> => {
    requests++
    const began = performance.now()
    try {
      const answer = await connection.call(call)
      latencies.push(performance.now() - began)
      if (answer.status === status) return answer
      failures.push(`${call.method ?? 'GET'} ${call.path}: ${answer.status} ${Buffer.concat(answer.pieces).toString().slice(0, 300)}`)
    } catch (error) {
      failures.push(`${call.method ?? 'GET'} ${call.path}: ${(error as Error).message}`)
    }
    return undefined
  }
  const revisionIn = (answer: Answer | undefined): number | undefined => answer && Number((parse(answer) as { metadata: { resourceVersion: string } }).metadata.resourceVersion)

  const hot = Array.from({ length: hotObjects }, (_, i) => (i * 7919) % stored)
  const start = revisionIn(await ask({ path: `${readCollection}?limit=1` }, 200))
  if (start === undefined) throw new Error(failures[0])
  const received: (Received & { events: string[] })[] = []
  const deletedAt = new Map<string, number>()
  const began = performance.now()
  await inParallel(watchers, 100, async i => {
    const selection = selectionOf(i, hot)
    const events: string[] = []
    received[i] = { selection, events }
    requests++
    const stream = connection.stream({ path: `${readCollection}?watch=true&resourceVersion=${start}&timeoutSeconds=3000${queryOf(selection)}` }, 1 + Math.floor(i / streamsPerSession))
    const fail = (why: string): void => { failures.push(`watch ${i}: ${why}`) }
    stream.on('data', lines(line => {
      const at = line.indexOf(revisionField) + revisionField.length
      const revision = Number(line.toString('latin1', at, line.indexOf('"', at)))
      const type = String.fromCharCode(line[9]!)
      if (type === 'E') fail(line.toString().slice(0, 300))
      // The first watcher has the whole namespace: it tells at which revision an object was deleted.
      if (i === 0 && type === 'D') deletedAt.set(/"name":"([^"]+)"/.exec(line.toString())![1]!, revision)
      events.push(eventKey(type, revision))
    }))
    stream.on('end', () => { fail('ended') })
    await new Promise<void>(resolve => {
      stream.on('error', error => { fail(error.message); resolve() })
      stream.on('response', headers => { if (headers[':status'] !== 200) fail(`status ${headers[':status'] ?? ''}`); resolve() })
    })
  })
  const openSeconds = (performance.now() - began) / 1000

  const writes: Write[] = []
  const shards = new Map(hot.map(i => [i, i % 10]))
  const until = performance.now() + seconds * 1000
  const witness = received[0]!.events
  /** A writer that did not wait for its event would measure how much the client's own queues hold. */
  const seen = async (revision: number | undefined): Promise<void> => {
    for (const end = performance.now() + 10_000; revision !== undefined && Number(witness.at(-1)?.slice(1) ?? 0) < revision && performance.now() < end;) await pause(2)
  }
  const create = async (name: string): Promise<number | undefined> => {
    const revision = revisionIn(await ask(post('default', name, 7), 201))
    if (revision !== undefined) writes.push({ name, revision, before: undefined, after: 's7' })
    return revision
  }
  const remove = async (name: string): Promise<void> => {
    if (await ask({ method: 'DELETE', path: `${readCollection}/${name}` }, 200) !== undefined) writes.push({ name, revision: undefined, before: 's7', after: undefined })
  }
  const change = async (n: number): Promise<number | undefined> => {
    const i = hot[n % hotObjects]!
    const before = shards.get(i)!
    const after = n % 5 === 0 ? (before + 1) % 10 : before
    const path = `${readCollection}/${storedName(i)}`
    const metadata = { labels: { shard: `s${after}` }, annotations: { 'wardle.example.com/revision': `scale-${n}` } }
    let answer: Answer | undefined
    if (n % 4 === 0) {
      const got = await ask({ path }, 200)
      if (got === undefined) return undefined
      const object = parse(got) as ReturnType<typeof flunder>
      Object.assign(object.metadata['labels'] as object, metadata.labels)
      Object.assign(object.metadata['annotations'] as object, metadata.annotations)
      answer = await ask({ method: 'PUT', path, headers: json, body: JSON.stringify(object) }, 200)
    } else {
      answer = await ask({ method: 'PATCH', path, headers: { 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ metadata }) }, 200)
    }
    const revision = revisionIn(answer)
    if (revision !== undefined) { writes.push({ name: storedName(i), revision, before: `s${before}`, after: `s${after}` }); shards.set(i, after) }
    return revision
  }

  const writing = Array.from({ length: writers }, async (_, w) => {
    for (let n = w; performance.now() < until; n += writers) {
      await seen(await change(n))
      if (n % 10 !== w) continue
      await seen(await create(`scale-${n}`))
      await remove(`scale-${n}`)
    }
  })
  const reading = Array.from({ length: readers }, async (_, r) => {
    for (let n = r; performance.now() < until; n += readers) {
      if (n % 100 === 0) await readPages(path => ask({ path }, 200), n % 10, 3)
      else await ask({ path: `${readCollection}/${storedName((n * 104_729) % stored)}` }, 200)
    }
  })
  // One client that starts anew and wants everything.
  const everything = ask({ path: `${readCollection}?resourceVersion=0` }, 200)
  await Promise.all([...writing, ...reading, everything])
  // A burst, whose events wait for nobody.
  const burst = Array.from({ length: 50 }, (_, i) => `scale-burst-${i}`)
  await inParallel(burst.length, 16, i => create(burst[i]!))
  await inParallel(burst.length, 16, i => remove(burst[i]!))

  for (const end = performance.now() + deadlineMs; performance.now() < end;) {
    const { lost } = compareDelivery(received, withRevisions(writes, deletedAt))
    if (lost === 0) break
    await pause(500)
  }
  // What comes twice may come late.
  await pause(1000)
  const delivery = compareDelivery(received, withRevisions(writes, deletedAt))
  const failed = failures.length
  connection.close()
  latencies.sort((a, b) => a - b)
  const quantile = (q: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0
  return { requests, failed, firstFailure: failures[0], writes: writes.length, delivery, p50: quantile(0.5), p99: quantile(0.99), openSeconds, seconds: (performance.now() - began) / 1000 }
}

/** A fifth watches the whole namespace, three fifths a shard of ten, a fifth one object. */
function selectionOf (i: number, hot: readonly number[]): Selection {
  if (i % 5 === 0) return { of: 'all' }
  return i % 5 === 4 ? { of: 'name', name: storedName(hot[Math.floor(i / 5) % hot.length]!) } : { of: 'shard', shard: `s${Math.floor(i / 5) % 10}` }
}

function queryOf (selection: Selection): string {
  switch (selection.of) {
    case 'all': return ''
    case 'shard': return `&labelSelector=shard%3D${selection.shard}`
    case 'name': return `&fieldSelector=metadata.name%3D${selection.name}`
  }
}

/** Pages of 500, and of a selection. */
async function readPages (get: (path: string) => Promise<Answer | undefined>, shard: number, pages: number): Promise<void> {
  for (const query of ['', `&labelSelector=shard%3Ds${shard}`]) {
    let token = ''
    for (let page = 0; page < pages; page++) {
      const answer = await get(`${readCollection}?limit=500${query}${token === '' ? '' : `&continue=${token}`}`)
      if (answer === undefined) return
      token = (parse(answer) as { metadata: { continue?: string } }).metadata.continue ?? ''
      if (token === '') break
    }
  }
}

function withRevisions (writes: readonly Write[], deletedAt: ReadonlyMap<string, number>): Write[] {
  return writes.map(write => write.revision === undefined && deletedAt.has(write.name) ? { ...write, revision: deletedAt.get(write.name)! } : write)
}

/** Splits what a stream brings into lines. */
function lines (each: (line: Buffer) => void): (piece: Buffer) => void {
  let rest: Buffer | undefined
  return piece => {
    const text = rest === undefined ? piece : Buffer.concat([rest, piece])
    let from = 0
    for (let at = text.indexOf(newline); at >= 0; at = text.indexOf(newline, from)) {
      each(text.subarray(from, at))
      from = at + 1
    }
    rest = from < text.length ? text.subarray(from) : undefined
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })
