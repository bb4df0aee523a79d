import type { Call } from './connection.js'
import { createMany, deleteMany, expect, flunder, inParallel, json, parse, post, readCollection, storedName, storedObjects, writeCollection, type LoadCase, type Scene } from './scene.js'
import { watchCases } from './watch-cases.js'

const names = ({ run, operations }: Scene, prefix: string): string[] => Array.from({ length: operations }, (_, i) => `${prefix}-${run}-${String(i).padStart(6, '0')}`)

/** Reads of one path, so many at once. */
const reading = (name: string, operations: number, concurrency: number, call: (i: number, stored: number) => Call): LoadCase => ({
  name, unit: 'request', operations,
  prepare: async ({ connection, many, stored }) => {
    for (let i = 0; i < 3; i++) expect(await connection.call(call(i, stored)), 200)
    return { run: () => many(concurrency, async i => expect(await connection.call(call(i, stored)), 200)) }
  }
})

const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
// In no order that a cache could profit from: 7919 is prime.
const storedPath = (i: number, stored: number): string => `${readCollection}/${storedName((i * 7919) % stored)}`

const reads: readonly LoadCase[] = [
  {
    name: 'get HTTP/1.1', unit: 'request', operations: 2000,
    prepare: async ({ connection, many, stored }) => ({ run: () => many(16, async i => expect(await connection.call1({ path: storedPath(i, stored) }, 16), 200)) })
  },
  reading('get HTTP/2', 2000, 16, (i, stored) => ({ path: storedPath(i, stored) })),
  reading('list 500', 60, 4, () => ({ path: `${readCollection}?limit=500` })),
  reading('list all', 24, 4, () => ({ path: readCollection })),
  reading('list all, gzip', 16, 4, () => ({ path: readCollection, headers: { 'accept-encoding': 'gzip' } })),
  reading('list as Table', 16, 4, () => ({ path: readCollection, headers: table })),
  reading('list by label', 120, 4, i => ({ path: `${readCollection}?labelSelector=shard%3Ds${i % 10}` })),
  {
    name: 'paged list', unit: 'page of 200', operations: 100,
    prepare: async ({ connection, many }) => {
      const tokens = ['', '', '', '']
      const page = async (i: number): Promise<void> => {
        const lane = i % tokens.length
        const { metadata } = parse(expect(await connection.call({ path: `${readCollection}?limit=200${tokens[lane] === '' ? '' : `&continue=${tokens[lane]}`}` }), 200)) as { metadata: { continue?: string } }
        tokens[lane] = metadata.continue ?? ''
      }
      return { run: () => many(1, page) }
    }
  }
]

/** Changes objects that are there; what is sent is made from what they are. */
const changing = (name: string, operations: number, change: (path: string, object: ReturnType<typeof flunder>, i: number, run: number) => Call): LoadCase => ({
  name, unit: 'request', operations, most: storedObjects,
  prepare: async scene => {
    const { connection, many, run, operations } = scene
    const paths = Array.from({ length: operations }, (_, i) => `${readCollection}/${storedName(i)}`)
    const calls: Call[] = []
    await inParallel(operations, 16, async i => {
      const object = parse(expect(await connection.call({ path: paths[i]! }), 200)) as ReturnType<typeof flunder>
      calls[i] = change(paths[i]!, object, i, run)
    })
    return { run: () => many(16, async i => expect(await connection.call(calls[i]!), 200)) }
  }
})

const writes: readonly LoadCase[] = [
  {
    name: 'create', unit: 'request', operations: 400,
    prepare: async scene => {
      const all = names(scene, 'c')
      const calls = all.map((name, i) => post('bench-writes', name, i))
      return {
        run: () => scene.many(16, async i => expect(await scene.connection.call(calls[i]!), 201)),
        finish: () => deleteMany(scene, all)
      }
    }
  },
  {
    name: 'create, 64 writers', unit: 'request', operations: 2000,
    prepare: async scene => {
      const all = names(scene, 'w')
      const calls = all.map((name, i) => post('bench-writes', name, i))
      return {
        run: () => scene.many(64, async i => expect(await scene.connection.call(calls[i]!, i % 4), 201)),
        finish: () => deleteMany(scene, all)
      }
    }
  },
  changing('update', 400, (path, object, _i, run) => {
    object.metadata['annotations'] = { ...object.metadata['annotations'] as object, 'wardle.example.com/revision': `u${run}` }
    return { method: 'PUT', path, headers: json, body: JSON.stringify(object) }
  }),
  changing('merge patch', 400, (path, _object, _i, run) => ({
    method: 'PATCH', path, headers: { 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ metadata: { annotations: { 'wardle.example.com/revision': `m${run}` } } })
  })),
  changing('apply', 400, (path, _object, i, run) => {
    const object = flunder('default', storedName(i), i)
    object.metadata['annotations'] = { ...object.metadata['annotations'] as object, 'wardle.example.com/revision': `a${run}` }
    return { method: 'PATCH', path: `${path}?fieldManager=bench&force=true`, headers: { 'content-type': 'application/apply-patch+yaml' }, body: JSON.stringify(object) }
  }),
  {
    name: 'delete', unit: 'request', operations: 400,
    prepare: async scene => {
      const all = names(scene, 'd')
      await createMany(scene, all, 'bench-writes')
      return { run: () => scene.many(16, async i => expect(await scene.connection.call({ method: 'DELETE', path: `${writeCollection}/${all[i]!}` }), 200)) }
    }
  }
]

export const loadCases: readonly LoadCase[] = [...reads, ...writes, ...watchCases]
