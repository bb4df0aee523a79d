import type { ClientHttp2Stream } from 'node:http2'
import { streamsPerSession } from './connection.js'
import { createMany, deleteMany, expect, inParallel, parse, readCollection, writeCollection, type LoadCase, type Scene } from './scene.js'

const newline = 10

interface Watchers {
  /** Resolves when every watcher has got so many events in all. */
  readonly all: (events: number) => Promise<void>
  readonly close: () => void
}

/** Opens watches of the namespace that is written, so many on each connection. Sessions from 1 on are theirs. */
async function openWatchers ({ connection }: Scene, count: number): Promise<Watchers> {
  const streams: ClientHttp2Stream[] = []
  const got = new Uint32Array(count)
  let wanted = 0
  let missing = 0
  let failure: Error | undefined
  let settle = (): void => {}
  const fail = (error: Error): void => { failure ??= error; settle() }
  const { metadata } = parse(expect(await connection.call({ path: `${writeCollection}?limit=1` }), 200)) as { metadata: { resourceVersion: string } }
  await inParallel(count, 50, async i => {
    const stream = connection.stream({ path: `${writeCollection}?watch=true&resourceVersion=${metadata.resourceVersion}&timeoutSeconds=1200` }, 1 + Math.floor(i / streamsPerSession))
    streams.push(stream)
    stream.on('data', (piece: Buffer) => {
      const before = got[i]!
      for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, at + 1)) got[i]!++
      if (before < wanted && got[i]! >= wanted && --missing === 0) settle()
    })
    await new Promise<void>((resolve, reject) => {
      stream.on('error', error => { fail(error); reject(error) })
      stream.on('response', headers => { if (headers[':status'] === 200) resolve(); else reject(new Error(`a watch was refused with ${headers[':status'] ?? ''}`)) })
      stream.on('end', () => { fail(new Error('a watch ended')) })
    })
  })
  return {
    all: events => {
      wanted = events
      missing = got.reduce((n, g) => n + (g < events ? 1 : 0), 0)
      if (failure !== undefined || missing === 0) return failure === undefined ? Promise.resolve() : Promise.reject(failure)
      return new Promise((resolve, reject) => { settle = () => { if (failure === undefined) resolve(); else reject(failure) } })
    },
    // Their connections are closed with the case.
    close: () => { for (const stream of streams) stream.removeAllListeners('end') }
  }
}

/** One write at a time, told to every watcher before the next one is made: no event can hide in the batch of another. */
const fanOut = (watchers: number, leastChanges: number): LoadCase => ({
  name: `watch, ${watchers.toLocaleString('en')} watchers`, unit: 'event', operations: watchers * leastChanges,
  // There is one write to so many events: in 1.2 s it would be made two hundred times, and be compiled while it is measured.
  warmUpCpuMs: 3000,
  prepare: async scene => {
    const { connection, run, note } = scene
    const changes = Math.ceil(scene.operations / watchers)
    const name = `watched-${run}`
    await createMany(scene, [name], 'bench-writes')
    const open = await openWatchers(scene, watchers)
    const change = async (i: number): Promise<void> => {
      expect(await connection.call({ method: 'PATCH', path: `${writeCollection}/${name}`, headers: { 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ metadata: { annotations: { 'wardle.example.com/revision': `w${i}` } } }) }), 200)
    }
    await change(-1)
    await open.all(1)
    return {
      run: async () => {
        for (let i = 0; i < changes; i++) {
          const began = performance.now()
          await Promise.all([change(i), open.all(i + 2)])
          note(performance.now() - began)
        }
      },
      finish: async () => {
        open.close()
        await deleteMany(scene, [name])
      }
    }
  }
})

const initialEventsEnd = Buffer.from('k8s.io/initial-events-end')

/** A watch that begins with every object there is, until it says that these were all. */
export const watchListStart: LoadCase = {
  name: 'WatchList start', unit: 'start', operations: 1,
  prepare: async scene => {
    const start = (): Promise<void> => new Promise((resolve, reject) => {
      const stream = scene.connection.stream({ path: `${readCollection}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true` })
      let tail: Buffer = Buffer.alloc(0)
      stream.on('data', (piece: Buffer) => {
        const text = Buffer.concat([tail, piece])
        tail = text.subarray(-200)
        if (text.includes(initialEventsEnd)) { stream.removeAllListeners('end'); stream.close(); resolve() }
      })
      stream.on('error', reject)
      stream.on('end', () => { reject(new Error('the watch ended')) })
    })
    await start()
    return { run: () => scene.many(1, start) }
  }
}

export const watchCases: readonly LoadCase[] = [fanOut(300, 20), fanOut(3000, 4)]
