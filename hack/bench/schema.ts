/**
 * What one object costs in the schema engine: prune, default, validate an object of 1 KB, and making a schema of 600 KB.
 * Run: node --import tsx hack/bench/schema.ts
 */
import { readFileSync } from 'node:fs'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { printJson } from '../../registry/codec/json-print.js'
import type { JsonObject } from '../../registry/codec/value.js'
import { CompiledSchema } from '../../registry/schema/compiled-schema.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'

const { schemas } = JSON.parse(readFileSync(new URL('../../registry/schema/testdata/recorded-creates.json', import.meta.url), 'utf8')) as { schemas: Record<string, StructuralSchema> }
/** One of every feature: ten formats and patterns, an embedded resource, sets and maps. */
const widget: JsonObject = {
  apiVersion: 'fuzz.example.com/v1',
  kind: 'Widget',
  metadata: { name: 'one', namespace: 'default', labels: { app: 'a', tier: 'b' } },
  spec: {
    replicas: 4, small: 8, big: 2, ratio: 0.5, title: 'title', code: 'abc1', when: '2024-01-02T03:04:05Z', day: '2024-01-02', blob: 'aGk=', span: '1h30m', site: 'https://a.example/x',
    address: '10.0.0.1', mail: 'a@b.example', maybe: null, amount: '50%', quantity: '10m', tags: ['a', 'b', 'c'], ranks: [1, 2, 3], steps: [{ run: 'b', args: ['a', 'b'] }],
    ports: [{ port: 1, protocol: 'TCP', name: 'a' }, { port: 2, name: 'b', opts: { x: 'y' } }], env: [{ name: 'A', value: 'x' }, { name: 'B', from: [{ key: 'k' }] }],
    labels: { a: 'b', c: 'd' }, limits: { cpu: 1, memory: '1Gi' }, whole: { a: 'x', b: 1 }, free: { any: { thing: [1, 2] } }, choice: { one: 'a' }, few: { k: true },
    template: { apiVersion: 'v1', kind: 'Thing', metadata: { name: 'inner', labels: { a: 'b' } }, spec: { any: 1 } }
  }
}

/** What most objects are like: strings and numbers in a few lists. */
const webApp: JsonObject = {
  apiVersion: 'example.com/v1',
  kind: 'WebApp',
  metadata: { name: 'one', namespace: 'default', labels: { app: 'a', tier: 'b' } },
  spec: { image: 'registry.example.com/team/app:v1.2.3', replicas: 3, port: 80, env: Array.from({ length: 16 }, (_, i) => ({ name: `NAME_${i}`, value: `some value number ${i}` })) }
}

function measure (name: string, object: JsonObject, run: (o: JsonObject) => void): void {
  const rounds = 20_000
  const copies = Array.from({ length: rounds }, () => cloneJson(object))
  // CPU time of the best of ten parts: other processes on the machine do not count.
  let best = Infinity
  for (let part = 0; part < 10; part++) {
    const before = process.cpuUsage()
    for (const o of copies.slice(part * rounds / 10, (part + 1) * rounds / 10)) run(o)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / (rounds / 10))
  }
  console.log(`${name.padEnd(34)} ${best.toFixed(2)} µs`)
}

for (const [name, object] of [['fuzz.example.com/v1 Widget', widget], ['example.com/v1 WebApp', webApp]] as const) {
  const schema = new CompiledSchema(schemas[name]!)
  const steps: Record<string, (o: JsonObject) => void> = {
    prune: o => { schema.prune(o) },
    coerceEmbedded: o => { schema.coerceEmbedded(o, { dropInvalid: false }) },
    applyDefaults: o => schema.applyDefaults(o),
    validate: o => { schema.validate(o) },
    'prune + applyDefaults + validate': o => {
      schema.prune(o)
      schema.applyDefaults(o)
      if (schema.validate(o).length > 0) throw new Error('the object must be valid')
    }
  }
  console.log(`${name}, ${printJson(object).length} bytes`)
  for (let warmUp = 0; warmUp < 20_000; warmUp++) for (const run of Object.values(steps)) run(cloneJson(object))
  for (const [step, run] of Object.entries(steps)) measure(step, object, run)
}

const big: StructuralSchema = { type: 'object', properties: { spec: { type: 'object', properties: Object.fromEntries(Array.from({ length: 4000 }, (_, i) => [`field${i}`, { type: 'object', description: 'x'.repeat(60), properties: { a: { type: 'string', default: 'x' }, b: { type: 'integer', minimum: 0 } } }])) } } }
const text = JSON.stringify(big)
const bigObject = (): JsonObject => ({ apiVersion: 'x/v1', kind: 'Big', metadata: { name: 'a' }, spec: { field1: { b: 1 } } })
for (const what of ['first', 'second']) {
  let start = process.hrtime.bigint()
  const compiled = new CompiledSchema(big)
  const made = process.hrtime.bigint() - start
  start = process.hrtime.bigint()
  const o = bigObject()
  compiled.prune(o)
  compiled.applyDefaults(o)
  compiled.validate(o)
  console.log(`schema of ${text.length} bytes, ${what} time: made in ${Number(made) / 1000} µs, first object in ${Number(process.hrtime.bigint() - start) / 1000} µs`)
}
