import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import path from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { parse } from 'yaml'
import { ClusterClient } from '../cluster/client.js'
import { FakeKubeApiserver } from '../cluster/testdata/fake-kube-apiserver.js'
import { newStatusError } from '../../registry/meta/status-error.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { createServer } from '../server.js'
import { AdmissionChain } from './chain.js'
import type { AdmissionAttributes, AdmissionPlugin } from './interfaces.js'
import { NamespaceLifecycle, type NamespaceLifecycleOptions } from './namespace-lifecycle.js'

const attributes = (init: Partial<AdmissionAttributes> = {}): AdmissionAttributes => ({
  operation: 'CREATE', resource: { group: 'example.com', version: 'v1', resource: 'webapps' }, kind: { group: 'example.com', version: 'v1', kind: 'WebApp' }, subresource: '', namespace: 'a', name: 'x',
  object: { metadata: { name: 'x' } } as KubeObject, oldObject: undefined, options: {}, dryRun: false, user: { name: 'jane', groups: [] }, warn: () => {}, annotate: () => {}, signal: new AbortController().signal, ...init
})

t.test('plug-ins are asked in order, each phase by itself, about what they care for; a refusal ends it', async t => {
  const asked: string[] = []
  const plugin = (name: string, more: Partial<AdmissionPlugin> = {}): AdmissionPlugin => ({
    name, admit: async () => { asked.push(`${name} admits`) }, validate: async () => { asked.push(`${name} validates`) }, ...more
  })
  const { validate: _, ...admits } = plugin('admits only', { operations: ['CREATE'] })
  const chain = new AdmissionChain([plugin('first'), admits, plugin('deletes', { operations: ['DELETE'] }), plugin('last')])
  await chain.admit(attributes())
  await chain.validate(attributes())
  t.same(asked.splice(0), ['first admits', 'admits only admits', 'last admits', 'first validates', 'last validates'])
  t.same([chain.handles('DELETE'), new AdmissionChain([admits]).handles('DELETE'), new AdmissionChain([]).handles('CREATE')], [true, false, false])
  await t.rejects(new AdmissionChain([plugin('a', { admit: async () => { throw new Error('no') } }), plugin('b')]).admit(attributes()), { message: 'no' })
  t.same(asked, [])
})

t.test('managedFields that a plug-in has broken become what they were, with a warning', async t => {
  const entry = { manager: 'kubectl', operation: 'Update', apiVersion: 'example.com/v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': {} } } as const
  const admit = async (change: (managedFields: { [member: string]: unknown }[]) => unknown, mutates = true): Promise<{ object: KubeObject; warnings: string[] }> => {
    const object = { metadata: { name: 'x', managedFields: [structuredClone(entry)] } } as unknown as KubeObject
    const warnings: string[] = []
    const plugin: AdmissionPlugin = { name: 'old', mutates, admit: async ({ object }) => { change(object!.metadata.managedFields as never) } }
    await new AdmissionChain([plugin]).admit(attributes({ object, warn: text => { warnings.push(text) } }))
    return { object, warnings }
  }
  const broken = await admit(([first]) => { first!['operation'] = '' })
  t.same(broken.object.metadata.managedFields, [entry])
  t.same(broken.warnings, ['.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: operation must be `Apply` or `Update`'])
  const changed = await admit(([first]) => { first!['manager'] = 'other' })
  t.match(changed, { object: { metadata: { managedFields: [{ manager: 'other' }] } }, warnings: [] }, 'a change that is none of the kind stays')
  t.same((await admit(([first]) => { first!['operation'] = '' }, false)).warnings, [], 'who says that it changes nothing is believed')
})

async function lifecycle (t: Pick<typeof import('tap').default, 'teardown'>, options: Partial<NamespaceLifecycleOptions> = {}): Promise<{ api: FakeKubeApiserver; plugin: NamespaceLifecycle }> {
  const api = await FakeKubeApiserver.start(t)
  const client = new ClusterClient({ userAgent: 'test', credentials: { name: 'test', read: async () => ({ server: api.url, headers: {}, tls: { ca: api.ca.certificatePem } }) } })
  t.teardown(() => { client.close() })
  const plugin = new NamespaceLifecycle({ client, onError: () => {}, missingWaitMs: 1, backoff: { firstMs: 1, maxMs: 5 }, ...options })
  t.teardown(() => plugin.stop())
  for (const [name, phase] of [['a', 'Active'], ['ending', 'Terminating']]) api.put('/api/v1/namespaces', { metadata: { name: name! }, status: { phase } })
  return { api, plugin }
}

t.test('a namespace must be there, and must not be ending', async t => {
  const { api, plugin } = await lifecycle(t)
  plugin.start()
  // Behind the informer's back: created a moment ago, or gone.
  api.on('GET /api/v1/namespaces/new', () => ({ body: { metadata: { name: 'new' }, status: { phase: 'Active' } } }))
  api.on('GET /api/v1/namespaces/new-ending', () => ({ body: { metadata: { name: 'new-ending' }, status: { phase: 'Terminating' } } }))
  api.on('GET /api/v1/namespaces/secret', () => ({ status: 403, body: { kind: 'Status', message: 'not for you' } }))
  const ending = (namespace: string, name: string): Record<string, unknown> => ({
    code: 403,
    message: `webapps.example.com "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    status: { details: { name, group: 'example.com', kind: 'webapps', causes: [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }] } }
  })
  const without = (metadata: object): KubeObject => ({ metadata }) as KubeObject
  for (const [name, init, expected] of [
    ['active', {}, undefined],
    ['cluster-scoped', { namespace: '' }, undefined],
    ['missing', { namespace: 'none' }, { code: 404, reason: 'NotFound', message: 'namespaces "none" not found' }],
    ['missing, update', { namespace: 'none', operation: 'UPDATE' }, { code: 404 }],
    ['ending', { namespace: 'ending' }, ending('ending', 'x')],
    ['ending, without a name', { namespace: 'ending', name: '', object: without({ generateName: 'g-' }) }, ending('ending', 'g-')],
    ['ending, with neither', { namespace: 'ending', name: '', object: without({}) }, ending('ending', 'Unknown')],
    ['ending, update', { namespace: 'ending', operation: 'UPDATE' }, undefined],
    ['new', { namespace: 'new' }, undefined],
    ['new and ending', { namespace: 'new-ending' }, ending('new-ending', 'x')],
    ['cannot be asked', { namespace: 'secret' }, { code: 500, message: 'Internal error occurred: not for you' }]
  ] as [string, Partial<AdmissionAttributes>, Record<string, unknown> | undefined][]) {
    if (expected === undefined) await plugin.admit(attributes(init))
    else t.match(await plugin.admit(attributes(init)).catch((e: unknown) => e), expected, name)
  }
  t.equal(api.count('GET /api/v1/namespaces/a') + api.count('GET /api/v1/namespaces/ending'), 0, 'what is known is not asked for')
  t.notOk(new AdmissionChain([plugin]).handles('DELETE'))
})

t.test('a create waits a little for a namespace that the informer is about to see', async t => {
  const { api, plugin } = await lifecycle(t, { missingWaitMs: 60_000 })
  plugin.start()
  await plugin.admit(attributes())
  const leaving = new AbortController()
  const waiting = plugin.admit(attributes({ namespace: 'late', signal: leaving.signal }))
  leaving.abort()
  await t.rejects(waiting, { name: 'AbortError' })
  t.equal(api.count('GET /api/v1/namespaces/late'), 0)
})

t.test('until the namespaces are known writes wait, and are then refused', async t => {
  const { api, plugin } = await lifecycle(t, { readyWaitMs: 20 })
  api.on('GET /api/v1/namespaces', () => ({ status: 500 }))
  plugin.start()
  await t.rejects(plugin.admit(attributes()), { code: 403, message: 'webapps.example.com "x" is forbidden: not yet ready to handle request' })
  t.equal(plugin.hasSynced, false)
  api.handlers.delete('GET /api/v1/namespaces')
  const { plugin: patient } = await lifecycle(t)
  const waiting = patient.admit(attributes())
  patient.start()
  await waiting
  t.ok(patient.hasSynced)
})

t.test('every write of a server is asked about, and what plug-ins change is stored', async t => {
  const dir = t.testdir({})
  type Seen = Pick<AdmissionAttributes, 'operation' | 'subresource' | 'name' | 'dryRun'> & { phase: string; kind: string; options: string; object: boolean; old: boolean }
  const seen: Seen[] = []
  const note = (phase: string) => async (a: AdmissionAttributes): Promise<void> => {
    seen.push({ phase, operation: a.operation, subresource: a.subresource, name: a.name, dryRun: a.dryRun, kind: a.kind.kind, options: String(a.options['kind']), object: a.object !== undefined, old: a.oldObject !== undefined })
    if (a.object?.metadata.labels?.['refuse'] === phase) throw newStatusError({ code: 403, reason: 'Forbidden', message: `refused: ${phase}` })
    if (phase === 'admit' && a.object !== undefined && a.subresource === '') {
      a.object.metadata.labels = { ...a.object.metadata.labels, admitted: String(a.operation) }
      a.warn(`${a.user.name} was here`)
    }
    if (phase === 'validate' && a.object !== undefined && a.subresource === '') t.equal(a.object.metadata.labels?.['admitted'], a.operation, 'validation sees the changes')
  }
  const server = await createServer({ securePort: 0, dataDir: dir, log: pino({ level: 'silent' }), admission: [{ name: 'Recorder', admit: note('admit'), validate: note('validate') }] })
  t.teardown(() => server.close())
  await server.ready()
  const { users } = parse(readFileSync(path.join(dir, 'kubeconfig'), 'utf8')) as { users: { user: Record<string, string> }[] }
  const pem = (key: string): Buffer => Buffer.from(users[0]!.user[key]!, 'base64')
  const ask = (method: string, target: string, body?: object, type = 'application/json'): Promise<{ status: number; body: { metadata: { labels?: Record<string, string> }; message?: string }; warning: string | undefined }> => new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    httpsRequest(`${server.url}/apis/example.com/v1/namespaces/default/webapps${target}`, { method, rejectUnauthorized: false, cert: pem('client-certificate-data'), key: pem('client-key-data'), headers: { 'content-type': type, 'content-length': Buffer.byteLength(text) } }, response => {
      let out = ''
      response.setEncoding('utf8').on('data', chunk => { out += String(chunk) }).on('end', () => { resolve({ status: response.statusCode!, body: JSON.parse(out) as never, warning: response.headers['warning'] as string | undefined }) })
    }).on('error', reject).end(text)
  })
  const webapp = (name: string, more: object = {}): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name, ...more }, spec: { image: 'nginx', replicas: 1, port: 80 } })
  const both = (about: Omit<Seen, 'phase' | 'kind' | 'dryRun'> & Partial<Seen>): Seen[] => ['admit', 'validate'].map(phase => ({ kind: 'WebApp', dryRun: false, ...about, phase }))
  const apply = 'application/apply-patch+yaml'
  const merge = 'application/merge-patch+json'
  for (const [name, method, target, body, type, status, expected] of [
    ['create', 'POST', '', webapp('a'), undefined, 201, both({ operation: 'CREATE', subresource: '', name: 'a', options: 'CreateOptions', object: true, old: false })],
    ['a dry run', 'POST', '?dryRun=All', webapp('dry'), undefined, 201, both({ operation: 'CREATE', subresource: '', name: 'dry', options: 'CreateOptions', object: true, old: false, dryRun: true })],
    ['patch', 'PATCH', '/a', { metadata: { annotations: { x: 'y' } } }, merge, 200, both({ operation: 'UPDATE', subresource: '', name: 'a', options: 'UpdateOptions', object: true, old: true })],
    ['apply that creates', 'PATCH', '/b?fieldManager=m', webapp('b'), apply, 201, both({ operation: 'CREATE', subresource: '', name: 'b', options: 'CreateOptions', object: true, old: false })],
    ['apply that changes nothing', 'PATCH', '/b?fieldManager=m', webapp('b'), apply, 200, both({ operation: 'UPDATE', subresource: '', name: 'b', options: 'UpdateOptions', object: true, old: true })],
    ['status', 'PATCH', '/a/status', { status: {} }, merge, 200, both({ operation: 'UPDATE', subresource: 'status', name: 'a', options: 'UpdateOptions', object: true, old: true })],
    ['scale', 'PATCH', '/a/scale', { spec: { replicas: 2 } }, merge, 200, both({ operation: 'UPDATE', subresource: 'scale', name: 'a', options: 'UpdateOptions', object: true, old: true, kind: 'Scale' })],
    ['delete, dry', 'DELETE', '/a?dryRun=All', undefined, undefined, 200, both({ operation: 'DELETE', subresource: '', name: 'a', options: 'DeleteOptions', object: false, old: true, dryRun: true })],
    ['delete', 'DELETE', '/a', undefined, undefined, 200, both({ operation: 'DELETE', subresource: '', name: 'a', options: 'DeleteOptions', object: false, old: true })],
    ['deletecollection', 'DELETE', '', undefined, undefined, 200, both({ operation: 'DELETE', subresource: '', name: '', options: 'DeleteOptions', object: false, old: true })],
    ['a read', 'GET', '', undefined, undefined, 200, []]
  ] as [string, string, string, object | undefined, string | undefined, number, Seen[]][]) {
    seen.length = 0
    const answer = await ask(method, target, body, type)
    t.equal(answer.status, status, name, answer)
    // A change is first tried on what the cache holds, and once more when that finds nothing to write.
    t.same(seen.slice(0, Math.max(expected.length, 0)), expected, name)
    if (expected.length === 0) t.same(seen, [])
    if (expected.length > 0 && expected[0]!.object && expected[0]!.subresource === '') {
      t.equal(answer.body.metadata.labels?.['admitted'], expected[0]!.operation)
      t.match(answer.warning, /kubernetes-admin was here/)
    }
  }
  for (const phase of ['admit', 'validate']) {
    t.match(await ask('POST', '', webapp('c', { labels: { refuse: phase } })), { status: 403, body: { message: `refused: ${phase}` } })
    t.equal((await ask('GET', '/c')).status, 404, 'nothing is stored')
  }
  seen.length = 0
  t.equal((await ask('POST', '', { ...webapp('d'), spec: {} })).status, 422)
  t.same(seen.map(s => s.phase), ['admit'], 'an object that is not valid is not asked about again')
})
