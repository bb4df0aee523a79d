// What field management costs beyond decoding and encoding: an apply or an update of a 1 KB object with four managers, and set operations.
//   node --import tsx hack/bench/apply.ts
import { readFileSync } from 'node:fs'
import { FieldManager } from '../../apiserver/apply/field-manager.js'
import { FieldSet } from '../../apiserver/apply/field-set.js'
import { parseFieldsV1, printFieldsV1 } from '../../apiserver/apply/fields-v1.js'
import { fieldElement, fieldPath, keyElement } from '../../apiserver/apply/path-element.js'
import type { JsonObject } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject } from '../../registry/meta/object-meta.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'

interface Crd { spec: { versions: Array<{ schema: { openAPIV3Schema: StructuralSchema } }> } }
const crd = JSON.parse(readFileSync(new URL('../../apiserver/apply/testdata/crd.json', import.meta.url), 'utf8')) as Crd
const apiVersion = 'apply.example.com/v1'
const manager = new FieldManager({
  group: 'apply.example.com',
  kind: 'Thing',
  apiVersion,
  versions: [{ apiVersion, schema: crd.spec.versions[0]!.schema.openAPIV3Schema }],
  convert: object => object,
  subresource: '',
  resetFields: new Map([[apiVersion, FieldSet.of(fieldPath('status'))]])
})
const now = '2026-01-02T03:04:05Z'
const config = (spec: object): JsonObject => ({ apiVersion, kind: 'Thing', metadata: { name: 'web', namespace: 'default', labels: { app: 'web', tier: 'front' } }, spec: spec as JsonObject })
const first = {
  replicas: 3,
  text: 'a web server that is deployed in three places',
  containers: [
    { name: 'server', image: 'registry.example.com/web/server:1.27.3', args: ['--listen=:8080', '--log=json'], env: [{ name: 'MODE', value: 'production' }, { name: 'REGION', value: 'eu-west-1' }, { name: 'LEVEL', value: 'info' }] },
    { name: 'sidecar', image: 'registry.example.com/mesh/proxy:2.1', env: [{ name: 'UPSTREAM', value: 'http://backend.default.svc:80' }] }
  ],
  ports: [{ port: 80, name: 'http' }, { port: 443, name: 'https' }, { port: 53, protocol: 'UDP' }],
  labels: { team: 'platform', cost: 'shared', owner: 'web@example.com' },
  box: { width: 3, height: 4 },
  steps: [{ run: 'migrate' }, { run: 'warm-up' }]
}
const second = { tags: ['blue', 'green', 'canary'], color: { r: 1, g: 2, b: 3 }, free: { settings: { cache: true, ttl: 300 } } }

let live: KubeObject = manager.apply(undefined, config(first), 'deployer', { force: false, now })
live = { ...live, metadata: { ...live.metadata, uid: '11111111-2222-3333-4444-555555555555' } }
live = manager.apply(live, config(second), 'platform', { force: true, now })
live = update(live, { flag: true, amount: '50%' }, 'kubectl-edit')
live = update(live, { maybe: 'x', mode: 'manual' }, 'controller')
if (live.metadata.managedFields?.length !== 4) throw new Error('four managers expected')

function patched (object: KubeObject, spec: JsonObject): KubeObject { return asObject({ ...asJson(object), spec: { ...(object['spec'] as JsonObject), ...spec } }) }
function update (object: KubeObject, spec: JsonObject, by: string): KubeObject { return manager.update(object, patched(object, spec), by, now) }

const text = JSON.stringify(live)
const bare = JSON.stringify({ ...live, metadata: { ...live.metadata, managedFields: undefined } })
const rows: Array<{ what: string; microseconds: string }> = []
const decode = (): KubeObject => JSON.parse(text) as KubeObject
let sink: unknown

/** The median of batches; `prepare` is not measured. */
function measure<T> (what: string, prepare: () => T, run: (input: T) => unknown): void {
  const batch = 25 // few, so that what prepare leaves behind is not collected here
  const times: number[] = []
  for (let i = 0; i < 500; i++) {
    const inputs = Array.from({ length: batch }, prepare)
    const start = process.hrtime.bigint()
    for (const input of inputs) sink = run(input)
    if (i >= 150) times.push(Number(process.hrtime.bigint() - start) / batch / 1000)
  }
  times.sort((a, b) => a - b)
  rows.push({ what, microseconds: times[times.length >> 1]!.toFixed(1) })
}

const changed = config({ ...first, replicas: 4, containers: [{ ...first.containers[0]!, image: 'registry.example.com/web/server:1.28.0' }, first.containers[1]!] })
const fewer = config({ ...first, labels: { team: 'platform' }, ports: first.ports.slice(1) })
const options = { force: false, now }
measure('apply, nothing changes', decode, o => manager.apply(o, config(first), 'deployer', options))
measure('apply, nothing changes, managers known', () => live, o => manager.apply(o, config(first), 'deployer', options))
measure('apply, two fields change', decode, o => manager.apply(o, changed, 'deployer', options))
measure('apply, three fields go', decode, o => manager.apply(o, fewer, 'deployer', options))
measure('apply, create', () => undefined, () => manager.apply(undefined, config(first), 'deployer', options))
measure('apply, conflict', decode, o => { try { return manager.apply(o, changed, 'other', options) } catch (error) { return error } })
measure('update, one field changes', decode, o => update(o, { replicas: 7 }, 'kubectl-edit'))
measure('update, one field changes, managers known', () => live, o => update(o, { replicas: 7 }, 'kubectl-edit'))
measure('update, whole object decoded again', () => [decode(), decode()] as const, ([o, p]) => manager.update(o, p, 'kubectl-edit', now))
measure('update, create', () => asObject(JSON.parse(bare) as JsonObject), o => manager.update(undefined, o, 'kubectl-create', now))

const paths = (from: number): string[][] => Array.from({ length: 1000 }, (_, i) => [fieldElement('spec'), fieldElement('items'), keyElement({ name: `item-${i + from}` }), fieldElement('value')])
const [a, b] = [FieldSet.of(...paths(0)), FieldSet.of(...paths(500))]
const json = printFieldsV1(a)
measure('1000 paths: union', () => undefined, () => a.union(b))
measure('1000 paths: intersection', () => undefined, () => a.intersection(b))
measure('1000 paths: difference', () => undefined, () => a.difference(b))
measure('1000 paths: parse', () => undefined, () => parseFieldsV1(json))
measure('1000 paths: print', () => undefined, () => printFieldsV1(a))

console.log(`object of ${bare.length} bytes, ${text.length} with ${live.metadata.managedFields!.length} managers\n`)
for (const { what, microseconds } of rows) console.log(`${what.padEnd(46)} ${microseconds.padStart(9)} µs`)
if (sink === null) console.log(sink)
