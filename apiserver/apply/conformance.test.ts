import { readableMeta } from '../../registry/generic/stored-meta.js'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject, type ManagedFieldsEntry } from '../../registry/meta/object-meta.js'
import { CompiledSchema } from '../../registry/schema/compiled-schema.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { ApplyError } from './errors.js'
import { FieldManager } from './field-manager.js'
import { FieldSet } from './field-set.js'
import { fieldPath } from './path-element.js'

// What kube-apiserver answered, in test/conformance: every write of a scripted or random run is done again on the object as it was before,
// and must give the same managers, the same object, or the same error.

interface Kind { readonly group: string; readonly version: string; readonly plural: string; readonly kind: string; readonly status: boolean; readonly schema: StructuralSchema }
interface Crd {
  readonly spec: {
    readonly group: string
    readonly names: { readonly plural: string; readonly kind: string }
    readonly versions: ReadonlyArray<{ readonly name: string; readonly subresources?: { readonly status?: object }; readonly schema: { readonly openAPIV3Schema: StructuralSchema } }>
  }
}
interface Write { readonly method: string; readonly url: string; readonly type: string; readonly body?: JsonValue | undefined; readonly edits?: ReadonlyArray<readonly [string[], JsonValue?]> | undefined }
interface Recorded { readonly status?: number; readonly body?: JsonValue }

const root = process.env['CONFORMANCE'] ?? new URL('../../test/conformance/', import.meta.url).pathname // the variable: another copy
const old = '2024-01-01T00:00:00Z'
const now = '2024-01-02T00:00:00Z'

class Replay {
  readonly #kinds: readonly Kind[]
  readonly #objects = new Map<string, KubeObject>()
  /** Objects that were written in a way which the recordings do not show whole. */
  readonly #unknown = new Set<string>()
  readonly problems: string[] = []
  compared = 0

  constructor (kinds: readonly Kind[]) { this.#kinds = kinds }

  step (write: Write, answer: Recorded): void {
    const url = new URL(write.url, 'http://server')
    const match = /^\/apis\/([^/]+)\/([^/]+)\/(?:namespaces\/[^/]+\/)?([^/]+)(?:\/([^/]+))?(?:\/(.*))?$/.exec(decodeURIComponent(url.pathname))
    const kind = match && this.#kinds.find(k => k.group === match[1] && k.version === match[2] && k.plural === match[3])
    if (!match || !kind || !isObject(answer.body)) return
    const [, group, version, plural, name = textAt(answer.body, 'metadata', 'name'), subresource = ''] = match
    const key = `${group}/${plural}/${name}`
    const apiVersion = `${group}/${version}`
    const stored = this.#objects.get(key)
    const live: KubeObject | undefined = stored && { ...stored, apiVersion }
    const done = answer.status === 200 || answer.status === 201
    if (write.method === 'DELETE') {
      if (done && !JSON.stringify(write.body ?? '').includes('dryRun')) this.#deleted(`${group}/${plural}/`, match[4], answer.body)
      return
    }
    if (write.method === 'GET') return
    const keep = (): void => { if (done && url.searchParams.get('dryRun') !== 'All') this.#keep(key, answer.body as JsonObject) }
    if (subresource === 'scale' || write.method === 'UNKNOWN' || /<number /.test(JSON.stringify(answer.body))) {
      if (done) this.#unknown.add(key)
      return
    }
    if (this.#unknown.has(key)) return keep()
    const by = url.searchParams.get('fieldManager') ?? 'unknown'
    const manager = this.#manager(kind, subresource === 'status' ? 'status' : '')
    if (write.type === 'application/apply-patch+yaml') this.#apply(manager, kind, { live, config: write.body, by, force: url.searchParams.get('force') === 'true', status: subresource === 'status', named: url.searchParams.has('fieldManager') }, answer, write.url)
    else if (done && (write.method === 'POST' || live !== undefined)) this.#update(manager, kind, write, write.method === 'POST' ? undefined : live, by, answer.body)
    keep()
  }

  #apply (manager: FieldManager, kind: Kind, { live, config, by, force, status, named }: { live: KubeObject | undefined; config: JsonValue | undefined; by: string; force: boolean; status: boolean; named: boolean }, answer: Recorded, at: string): void {
    if (!isObject(config) || !named || (status && live === undefined)) return
    const failed = answer.status !== 200 && answer.status !== 201
    const message = failed ? textAt(answer.body, 'message') : ''
    try {
      const object = cloneJson(asJson(manager.apply(live, config, by, { force, now })))
      if (failed && !/^(Apply failed|failed to create typed|invalid object type|metadata.managedFields)/.test(message)) return // refused later
      object.metadata = readableMeta(object.metadata) // as it would be read back
      const schema = new CompiledSchema(kind.schema)
      schema.prune(object)
      schema.applyDefaults(object)
      if (kind.status && !status) delete object.status
      this.#compare(at, relevant(answer.body as JsonObject, kind, status), failed ? 'no error' : relevant(object, kind, status))
    } catch (error) {
      if (!(error instanceof ApplyError)) throw error
      this.#compare(at, sortedLines(message), sortedLines(error.message))
    }
  }

  /** The write is what the answer shows, but what the client sent counts where it would have been reset. */
  #update (manager: FieldManager, kind: Kind, write: Write, live: KubeObject | undefined, by: string, answer: JsonObject): void {
    const object = cloneJson(answer)
    const metadata = object.metadata as JsonObject
    delete metadata.managedFields
    if (live?.metadata.managedFields !== undefined) metadata.managedFields = live.metadata.managedFields as unknown as JsonValue
    for (const [path, value] of write.edits ?? []) {
      if (path.length !== 2 || path[1] !== 'managedFields') continue
      if (value === undefined) delete metadata.managedFields
      else metadata.managedFields = value
    }
    const sent = write.method === 'POST' ? write.body : live && this.#sent(write, live)
    if (isObject(sent)) {
      const schema = new CompiledSchema(kind.schema)
      const decoded = cloneJson(sent)
      schema.prune(decoded)
      schema.applyDefaults(decoded)
      for (const member of new Set([...Object.keys(object), ...Object.keys(decoded)])) {
        if (['apiVersion', 'kind', 'metadata'].includes(member)) continue
        if (decoded[member] === undefined) delete object[member]
        else object[member] = decoded[member]
      }
    }
    const after = manager.update(live, asObject(object), by, now)
    this.#compare(write.url, managersOf(answer), managersOf(asJson(after)))
  }

  #sent (write: Write, live: KubeObject): JsonValue | undefined {
    if (write.type === 'application/merge-patch+json') return mergePatch(asJson(live), write.body ?? {})
    if (write.edits === undefined) return undefined
    const object = cloneJson(asJson(live))
    for (const edit of write.edits) applyEdit(object, edit)
    return object
  }

  #keep (key: string, object: JsonObject): void {
    this.#unknown.delete(key)
    const kept = asObject(cloneJson(object))
    for (const entry of kept.metadata.managedFields ?? []) if (entry.time !== undefined) entry.time = old
    if (kept.metadata.deletionTimestamp !== undefined && !kept.metadata.finalizers?.length) this.#objects.delete(key)
    else this.#objects.set(key, kept)
  }

  #deleted (collection: string, name: string | undefined, answer: JsonObject): void {
    if (name !== undefined) this.#unknown.delete(collection + name)
    const items = name === undefined ? answer.items : [answer]
    if (name !== undefined && answer.kind === 'Status') this.#objects.delete(collection + name)
    else if (Array.isArray(items)) {
      for (const item of items as JsonObject[]) {
        const key = collection + textAt(item, 'metadata', 'name')
        if (name !== undefined) this.#keep(key, item)
        else if (Array.isArray((item.metadata as JsonObject).finalizers)) this.#unknown.add(key) // shown as it was before
        else this.#objects.delete(key)
      }
    } else for (const key of this.#objects.keys()) if (key.startsWith(collection)) this.#objects.delete(key)
  }

  #manager (kind: Kind, subresource: '' | 'status'): FieldManager {
    const versions = this.#kinds.filter(k => k.group === kind.group && k.kind === kind.kind)
    const reset = subresource === '' ? FieldSet.of(fieldPath('status')) : FieldSet.of(fieldPath('metadata'), fieldPath('spec'))
    return new FieldManager({
      group: kind.group,
      kind: kind.kind,
      apiVersion: `${kind.group}/${kind.version}`,
      versions: versions.map(k => ({ apiVersion: `${k.group}/${k.version}`, schema: k.schema })),
      convert: (object, apiVersion) => ({ ...object, apiVersion }),
      subresource,
      resetFields: new Map(versions.filter(k => k.status && (subresource !== '' || k.version === kind.version)).map(k => [`${k.group}/${k.version}`, reset]))
    })
  }

  #compare (at: string, want: JsonValue, got: JsonValue): void {
    this.compared++
    if (JSON.stringify(sorted(want)) !== JSON.stringify(sorted(got))) this.problems.push(`${at}\n want ${JSON.stringify(sorted(want))}\n got  ${JSON.stringify(sorted(got))}`)
  }
}

function textAt (value: JsonValue | undefined, ...names: string[]): string {
  let at: JsonValue | undefined = value
  for (const name of names) at = isObject(at) ? at[name] : undefined
  return typeof at === 'string' ? at : ''
}

const sortedLines = (text: string): string => text.split('\n').sort().join('\n')

function sorted (v: JsonValue): JsonValue {
  if (Array.isArray(v)) return v.map(sorted)
  return isObject(v) ? Object.fromEntries(Object.keys(v).sort().map(k => [k, sorted(v[k]!)])) : v
}

/** Managers without their times' values, by name: the recordings do not keep the order either. */
function managersOf (object: JsonObject): JsonValue {
  const entries = ((object.metadata as JsonObject).managedFields ?? []) as unknown as ManagedFieldsEntry[]
  const rank = (e: ManagedFieldsEntry): string => JSON.stringify([e.operation, e.manager, e.apiVersion, e.subresource])
  return [...entries].sort((a, b) => rank(a) < rank(b) ? -1 : 1).map(e => ({ ...e, ...(e.time !== undefined && { time: 'set' }) })) as unknown as JsonValue
}

function relevant (object: JsonObject, kind: Kind, status: boolean): JsonValue {
  const { metadata, ...rest } = object
  const { labels, annotations, finalizers } = metadata as JsonObject
  if (kind.status && !status) delete rest.status
  return JSON.parse(JSON.stringify({ ...rest, labels, annotations, finalizers, managers: managersOf(object) })) as JsonValue
}

function mergePatch (target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch
  const out: JsonObject = { ...(isObject(target) ? target : {}) }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key]
    else out[key] = mergePatch(out[key], value)
  }
  return out
}

function applyEdit (object: JsonObject, [path, value]: readonly [string[], JsonValue?]): void {
  const last = path.at(-1)!
  let at = object
  for (const key of path.slice(0, -1)) {
    if (typeof at[key] !== 'object' || at[key] === null) {
      if (value === undefined) return
      at[key] = {}
    }
    at = at[key] as JsonObject
  }
  if (value !== undefined) at[last] = value
  else if (Array.isArray(at)) at.splice(Number(last), 1)
  else delete at[last]
}

/** What a JSON patch does to managedFields. */
function managedFieldsEdits (body: JsonValue | undefined): Write['edits'] {
  const operations = Array.isArray(body) ? body.filter(isObject).filter(o => o.path === '/metadata/managedFields') : []
  return operations.length === 0 ? undefined : operations.map(o => [['metadata', 'managedFields'], o.value!] as const)
}

/** Placeholders as plain text, so that they are names and uids like others. */
const plain = (text: string): string => text.replace(/<(uid|rv|ns)(?::(\d+))?>/g, (_, tag: string, n: string | undefined) => tag + (n ?? '')).replaceAll('$ns', 'ns')

const missing = existsSync(root + 'random') ? false : 'test/conformance is not there'

t.test('random runs keep kube-apiserver\'s managers, objects and errors', { skip: missing }, async t => {
  const kept = JSON.parse(gunzipSync(readFileSync(root + 'random/apply.json.gz')).toString()) as { kinds: Kind[]; runs: Array<{ steps: JsonObject[]; answers: Recorded[] }> }
  let compared = 0
  for (const [i, run] of kept.runs.entries()) {
    const text = JSON.stringify(run.answers)
    const uid = (name: string): string => new RegExp(`"name":"${name}","uid":"(<uid:\\d+>)"`).exec(text)?.[1] ?? name
    const replay = new Replay(kept.kinds)
    const answers = JSON.parse(plain(text)) as Recorded[]
    const steps = JSON.parse(plain(JSON.stringify(run.steps).replaceAll('11111111-2222-3333-4444-555555555555', uid('o')).replaceAll('11111111-2222-3333-4444-666666666666', uid('p')))) as JsonObject[]
    for (const [s, step] of steps.entries()) {
      if (step.watch || step.pages || typeof step.body === 'string') {
        if (typeof step.body === 'string') replay.step({ method: 'UNKNOWN', url: String(step.path), type: '' }, answers[s]!)
        continue
      }
      replay.step({ method: String(step.method), url: String(step.path) + String(step.query ?? ''), type: textAt(step.headers, 'content-type'), body: step.body, edits: step.modify as unknown as Write['edits'] }, answers[s]!)
    }
    t.strictSame(replay.problems, [], `run ${i}`)
    compared += replay.compared
  }
  t.ok(compared > 1400, `${compared} writes compared`)
})

t.test('scripted scenarios keep kube-apiserver\'s managers, objects and errors', { skip: missing }, async t => {
  const crds = readdirSync(root + 'crds').flatMap(file => parseAllDocuments(readFileSync(`${root}crds/${file}`, 'utf8')).map(d => d.toJS() as Crd))
  const kinds = crds.flatMap(({ spec }) => spec.versions.map((v): Kind => ({
    group: spec.group, version: v.name, plural: spec.names.plural, kind: spec.names.kind, status: v.subresources?.status !== undefined, schema: v.schema.openAPIV3Schema
  })))
  let compared = 0
  for (const file of ['01-lifecycle', '03-patch', '04-subresources', '10-apply']) {
    for (const { name, steps } of JSON.parse(readFileSync(`${root}scenarios/${file}.json`, 'utf8')) as Array<{ name: string; steps: JsonObject[] }>) {
      const { answers } = JSON.parse(plain(readFileSync(`${root}transcripts/${name}.json`, 'utf8'))) as { answers: Recorded[] }
      if (answers.length !== steps.length) continue // a silent step: its answer was not kept
      const replay = new Replay(kinds)
      for (const [s, step] of (JSON.parse(plain(JSON.stringify(steps))) as JsonObject[]).entries()) {
        const [method = '', url = ''] = String(step.do).split(' ')
        const type = textAt(step.headers, 'content-type')
        if (type.includes('yaml') && typeof step.body === 'string') step.body = parseAllDocuments(step.body)[0]!.toJS() as JsonValue
        const unseen = JSON.stringify(step.ignore ?? []).includes('managedFields')
        if (typeof step.body !== 'string') replay.step({ method: unseen ? 'UNKNOWN' : method, url, type, body: step.body, edits: managedFieldsEdits(step.body) }, answers[s]!)
      }
      t.strictSame(replay.problems, [], name)
      compared += replay.compared
    }
  }
  t.ok(compared > 40, `${compared} writes compared`)
})
