import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { forbiddenError, type Attributes } from '../authorization/interfaces.js'
import { newUnauthorized, statusObject } from '../../registry/meta/status-error.js'
import { Auditor, type AuditRequest, type AuditSink } from './auditor.js'
import { RotatingLogFile } from './log-file.js'
import { LogSink } from './log-sink.js'
import { AuditPolicyEvaluator, defaultAuditPolicy, type AuditPolicy } from './policy.js'
import { loadAuditPolicy, parseAuditPolicy } from './policy-file.js'
import { sourceIPs } from './source-ips.js'

const received = Date.parse('2026-11-22T15:06:44.727Z')
const admin = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'], extra: { 'authentication.kubernetes.io/credential-id': ['X509SHA256=ee37'] } }
const attributes = (verb: string, name = ''): Attributes => ({ user: admin, verb, resourceRequest: true, path: '/', apiGroup: '', apiVersion: 'v1', resource: 'configmaps', subresource: '', namespace: 'default', name })
const requestOf = (init: Partial<AuditRequest> = {}): AuditRequest => ({
  auditID: 'id-1', requestURI: '/api/v1/namespaces/default/configmaps?fieldManager=a&fieldValidation=Strict', attributes: attributes('create'), sourceIPs: ['127.0.0.1'], userAgent: 'kubectl/v1', receivedAt: received, longRunning: false, ...init
})

class Lines implements AuditSink {
  readonly lines: string[] = []
  write (line: string): void { this.lines.push(line) }
  room (): undefined { return undefined }
  async close (): Promise<void> { await Promise.resolve() }
  events (): Record<string, unknown>[] { return this.lines.map(line => JSON.parse(line) as Record<string, unknown>) }
}
const auditorOf = (policy: AuditPolicy): { auditor: Auditor; sink: Lines; levels: string[]; counted: () => number } => {
  const sink = new Lines()
  const levels: string[] = []
  let events = 0
  const auditor = new Auditor({ policy, sink, now: () => received + 3, metrics: { event: () => { events++ }, level: level => { levels.push(level) } } })
  return { auditor, sink, levels, counted: () => events }
}

// Lines of a kube-apiserver v1.36.3, with times and ids replaced.
const head = (level: string, stage: string): string => `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"${level}","auditID":"id-1","stage":"${stage}","requestURI":"/api/v1/namespaces/default/configmaps?fieldManager=a\\u0026fieldValidation=Strict","verb":"create","user":{"username":"kubernetes-admin","groups":["system:masters","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["X509SHA256=ee37"]}},"sourceIPs":["127.0.0.1"],"userAgent":"kubectl/v1"`
const tail = (ms: string): string => `"requestReceivedTimestamp":"2026-11-22T15:06:44.727000Z","stageTimestamp":"2026-11-22T15:06:44.${ms}000Z"`

t.test('a create at RequestResponse is written as kube-apiserver writes it', async t => {
  const { auditor, sink, levels, counted } = auditorOf({ rules: [{ level: 'RequestResponse' }] })
  const record = auditor.begin(requestOf())!
  record.setDecision('allow')
  record.setRequestObject({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'cm1' }, data: { a: '<b>' } })
  record.setResponseBytes(Buffer.from('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"cm1","namespace":"default"},"data":{"a":"\\u003cb\\u003e"}}\n'))
  record.finish(201)
  t.equal(sink.lines[0], `${head('RequestResponse', 'RequestReceived')},"objectRef":{"resource":"configmaps","namespace":"default","apiVersion":"v1"},${tail('727')}}\n`)
  t.equal(sink.lines[1], `${head('RequestResponse', 'ResponseComplete')},"objectRef":{"resource":"configmaps","namespace":"default","name":"cm1","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},` +
    '"requestObject":{"apiVersion":"v1","data":{"a":"\\u003cb\\u003e"},"kind":"ConfigMap","metadata":{"name":"cm1"}},' +
    `"responseObject":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"cm1","namespace":"default"},"data":{"a":"\\u003cb\\u003e"}},${tail('730')},"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}\n`)
  t.same(levels, ['RequestResponse'])
  t.equal(counted(), 2)
})

t.test('at Metadata no body is ever written, only the name it carries', async t => {
  const { auditor, sink } = auditorOf(defaultAuditPolicy)
  const record = auditor.begin(requestOf())!
  t.notOk(record.wantsRequestObject)
  record.setRequestObject({ kind: 'Secret', metadata: { name: 's1', uid: 'u' }, data: { password: 'hunter2' } })
  record.setRequestPatch(Buffer.from('{"data":{"password":"hunter2"}}'))
  record.setResponseBytes(Buffer.from('{"data":{"password":"hunter2"}}'))
  record.setResponseObject({ kind: 'Secret', data: { password: 'hunter2' } })
  record.finish(200)
  t.notMatch(sink.lines.join(''), /hunter2/)
  t.same(sink.events()[1]!['objectRef'], { resource: 'configmaps', namespace: 'default', name: 's1', uid: 'u', apiVersion: 'v1' })
})

t.test('at Request the answer is not written', async t => {
  const { auditor, sink } = auditorOf({ rules: [{ level: 'Request' }] })
  const record = auditor.begin(requestOf())!
  record.setRequestPatch(Buffer.from('{\n  "a": 12345678901234567\n}\n'))
  record.setResponseBytes(Buffer.from('{"b":1}'))
  record.finish(200)
  t.match(sink.lines[1], /"requestObject":\{"a":12345678901234567\},"requestReceived/)
  t.notMatch(sink.lines[1]!, /responseObject/)
})

t.test('a refusal shows status, details and decision', async t => {
  const { auditor, sink } = auditorOf(defaultAuditPolicy)
  const record = auditor.begin(requestOf({ attributes: attributes('list') }))!
  record.setDecision('forbid', 'RBAC: why')
  record.setResponseObject(statusObject(forbiddenError(attributes('list'), 'RBAC: why').status))
  record.finish(403)
  t.match(sink.lines[1], '"responseStatus":{"metadata":{},"status":"Failure","message":"configmaps is forbidden: User \\"kubernetes-admin\\" cannot list resource \\"configmaps\\" in API group \\"\\" in the namespace \\"default\\": RBAC: why","reason":"Forbidden","details":{"kind":"configmaps"},"code":403},"requestReceived')
  t.same(sink.events()[1]!['annotations'], { 'authorization.k8s.io/decision': 'forbid', 'authorization.k8s.io/reason': 'RBAC: why' })
})

t.test('a request that failed to authenticate is one ResponseStarted event without a user', async t => {
  const { auditor, sink } = auditorOf(defaultAuditPolicy)
  const { user, ...rest } = attributes('get')
  t.ok(user)
  auditor.authenticationFailed(requestOf({ attributes: rest as AuditRequest['attributes'] }), newUnauthorized().status)
  t.equal(sink.lines.length, 1)
  t.match(sink.lines[0], '"stage":"ResponseStarted"')
  t.match(sink.lines[0], '"user":{},')
  t.match(sink.lines[0], '"responseStatus":{"metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}')
})

t.test('stages of each kind of request', async t => {
  const cases: [string, boolean, (record: NonNullable<ReturnType<Auditor['begin']>>) => void, AuditPolicy, string[]][] = [
    ['an ordinary one', false, r => { r.responseStarted(200); r.finish(200) }, defaultAuditPolicy, ['RequestReceived', 'ResponseComplete 200']],
    ['a watch', true, r => { r.responseStarted(200); r.responseStarted(200); r.finish(200) }, defaultAuditPolicy, ['RequestReceived', 'ResponseStarted 200', 'ResponseComplete 200']],
    ['a watch whose client went before the headers', true, r => { r.finish() }, defaultAuditPolicy, ['RequestReceived', 'ResponseStarted 200', 'ResponseComplete 200']],
    ['a panic', false, r => { r.panic(new Error('boom')); r.finish(500) }, defaultAuditPolicy, ['RequestReceived', 'Panic 500']],
    ['finished twice', false, r => { r.finish(200); r.finish(500); r.panic('x') }, defaultAuditPolicy, ['RequestReceived', 'ResponseComplete 200']],
    ['an omitted stage', false, r => { r.finish(200) }, { ...defaultAuditPolicy, omitStages: ['RequestReceived'] }, ['ResponseComplete 200']]
  ]
  for (const [name, longRunning, run, policy, expected] of cases) {
    const { auditor, sink } = auditorOf(policy)
    run(auditor.begin(requestOf({ longRunning }))!)
    t.same(sink.events().map(e => [e['stage'], (e['responseStatus'] as { code?: number } | undefined)?.code].filter(x => x !== undefined).join(' ')), expected, name)
  }
})

t.test('details: annotations keep their first value, long user agents are cut, impersonation is shown, managedFields can be left out', async t => {
  const { auditor, sink } = auditorOf({ rules: [{ level: 'RequestResponse' }], omitManagedFields: true })
  const record = auditor.begin(requestOf({ userAgent: 'x'.repeat(2000) }))!
  record.annotate('k', 'first')
  record.annotate('k', 'second')
  record.setDecision('error')
  record.setImpersonatedUser({ name: 'jane', uid: '7', groups: [] }, 'impersonate:user-info')
  const object = { metadata: { name: 'a', managedFields: [{ manager: 'm' }] } }
  record.setRequestObject(object)
  record.setResponseBytes(Buffer.from(JSON.stringify({ kind: 'Table', rows: [{ cells: [], object }], items: [object] })))
  record.finish(200)
  t.notMatch(sink.lines.join(''), /managedFields/)
  t.same(object.metadata.managedFields, [{ manager: 'm' }], 'the object itself is untouched')
  const event = sink.events()[1]!
  t.same(event['annotations'], { 'k': 'first', 'authorization.k8s.io/reason': 'internal error' })
  t.equal(event['userAgent'], 'x'.repeat(1024) + '...TRUNCATED')
  t.same(event['impersonatedUser'], { username: 'jane', uid: '7' })
  t.same(event['authenticationMetadata'], { impersonationConstraint: 'impersonate:user-info' })
})

t.test('a patch that is not JSON cannot break or forge a line', async t => {
  const { auditor, sink } = auditorOf({ rules: [{ level: 'Request' }] })
  const record = auditor.begin(requestOf({ requestURI: '/x\n{"kind":"Event"}', userAgent: '"}\n{' }))!
  record.setRequestPatch(Buffer.from('a: b\n{"kind":"Event"}\n'))
  record.finish(200)
  t.equal(sink.lines.join('').split('\n').length, 3)
  t.equal(sink.events()[1]!['requestObject'], 'a: b\n{"kind":"Event"}\n')
})

t.test('the policy: the first matching rule decides', async t => {
  const text = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, users: [system:kube-proxy], verbs: [watch]}
- {level: None, userGroups: [system:nodes]}
- {level: Metadata, resources: [{group: "", resources: [secrets, tokenreviews]}, {group: apps, resources: ["*/scale"]}]}
- {level: Request, namespaces: [kube-system], omitManagedFields: true}
- {level: Request, resources: [{group: "*", resources: [pods/*], resourceNames: [a]}]}
- {level: RequestResponse, resources: [{group: db.example.com}], omitStages: [Panic]}
- {level: None, nonResourceURLs: ["/healthz*", /version]}
- {level: Metadata, nonResourceURLs: ["*"]}
`
  const evaluator = new AuditPolicyEvaluator(await parseAuditPolicy(text, 'p.yaml'))
  const res = (init: object): Attributes => ({ ...attributes('get'), ...init } as Attributes)
  const path = (p: string): Attributes => ({ user: admin, verb: 'get', resourceRequest: false, path: p })
  for (const [name, a, level] of [
    ['user and verb', res({ user: { name: 'system:kube-proxy', groups: [] }, verb: 'watch', resource: 'secrets' }), 'None'],
    ['user and another verb', res({ user: { name: 'system:kube-proxy', groups: [] }, resource: 'secrets' }), 'Metadata'],
    ['group', res({ user: { name: 'n', groups: ['system:nodes'] }, apiGroup: 'db.example.com' }), 'None'],
    ['no user', res({ user: undefined, resource: 'secrets' }), 'Metadata'],
    ['a subresource is not its resource', res({ resource: 'secrets', subresource: 'x' }), 'None'],
    ['any resource\'s subresource', res({ apiGroup: 'apps', resource: 'deployments', subresource: 'scale' }), 'Metadata'],
    ['namespace', res({ namespace: 'kube-system' }), 'Request'],
    ['subresources of a resource by name', res({ resource: 'pods', subresource: 'log', name: 'a' }), 'Request'],
    ['subresources of a resource by another name', res({ resource: 'pods', subresource: 'log', name: 'b' }), 'None'],
    ['a whole group', res({ apiGroup: 'db.example.com', subresource: 'status' }), 'RequestResponse'],
    ['no rule', res({ apiGroup: 'other' }), 'None'],
    ['a path by star', path('/healthz/etcd'), 'None'],
    ['a path', path('/version'), 'None'],
    ['other paths', path('/metrics'), 'Metadata']
  ] as const) t.equal(evaluator.evaluate(a).level, level, name)
  const config = evaluator.evaluate(res({ apiGroup: 'db.example.com' }))
  t.same([...config.omitStages], ['RequestReceived', 'Panic'])
  t.equal(config.omitManagedFields, false)
  t.equal(evaluator.evaluate(res({ namespace: 'kube-system' })).omitManagedFields, true)
  t.equal(new Auditor({ policy: { rules: [{ level: 'None' }] }, sink: new Lines() }).begin(requestOf()), undefined)
})

t.test('everything wrong in a policy is named', async t => {
  const policy = (rules: string): string => `apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: ${rules}\n`
  for (const [name, text, expected] of [
    ['empty', '', ['document 0: holds no document']],
    ['no rules', policy('[]'), ['document 0: rules: Required value: must have at least 1 item']],
    ['a level', policy('[{level: Everything}]'), ['document 0: rules[0].level: Unsupported value: "Everything": supported values: "None", "Metadata", "Request", "RequestResponse"']],
    ['a misspelt field', policy('[{level: None, user: [a]}]'), ['document 0: rules[0].user: unknown field']],
    ['a stage', policy('[{level: None, omitStages: [Later]}]'), ['document 0: rules[0].omitStages[0]: Unsupported value: "Later": supported values: "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"']],
    ['paths', policy('[{level: None, nonResourceURLs: [x, "/a*b"]}]'), ['document 0: rules[0].nonResourceURLs[0]: Invalid value: "x": non-resource URL rules must begin with a \'/\' character', 'document 0: rules[0].nonResourceURLs[1]: Invalid value: "/a*b": non-resource URL wildcards \'*\' must be the final character of the rule']],
    ['both', policy('[{level: None, nonResourceURLs: [/x], namespaces: [a]}]'), ['document 0: rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs']],
    ['a group with a version', policy('[{level: None, resources: [{group: apps/v1}]}]'), ['document 0: rules[0].resources.group: Invalid value: "apps/v1": must be the name of an API group, without a version']],
    ['names without resources', policy('[{level: None, resources: [{resourceNames: [a]}]}]'), ['document 0: rules[0].resources.resourceNames: Invalid value: ["a"]: using resourceNames requires at least one resource']],
    ['two documents', `${policy('[{level: None}]')}---\na: b`, ['document 1: only one document is allowed']]
  ] as const) {
    const error = await parseAuditPolicy(text, 'p.yaml').then(() => undefined, (e: unknown) => e as Error)
    t.same(error?.message.split('\n'), expected.map(line => `p.yaml: ${line}`), name)
  }
  await t.rejects(loadAuditPolicy('/nonexistent/p.yaml'), { message: '/nonexistent/p.yaml: cannot be read (ENOENT)' })
})

t.test('source addresses come from the headers and end with the peer', async t => {
  for (const [headers, remote, expected] of [
    [[], '127.0.0.1', ['127.0.0.1']],
    [[], '::ffff:10.0.0.1', ['10.0.0.1']],
    [['X-Forwarded-For', '1.2.3.4, 5.6.7.8', 'X-Real-Ip', '9.9.9.9'], '127.0.0.1', ['1.2.3.4', '5.6.7.8', '9.9.9.9', '127.0.0.1']],
    [['x-forwarded-for', 'junk, 1.2.3.4'], '1.2.3.4', ['1.2.3.4']],
    [['X-Real-Ip', '1.2.3.4', 'X-Forwarded-For', '1.2.3.4'], undefined, ['1.2.3.4']],
    [[], undefined, []]
  ] as const) t.same(sourceIPs(headers, remote), expected)
})

t.test('a log file rotates by size, keeps its limits, and continues what is there', async t => {
  const dir = t.testdir({ 'audit.log': 'old\n' })
  const file = path.join(dir, 'audit.log')
  let now = Date.parse('2026-11-22T10:00:00.000Z')
  const log = new RotatingLogFile({ path: file, maxSizeBytes: 20, maxBackups: 2, maxAgeDays: 1, now: () => now })
  await log.open()
  await log.append(['0123456789\n', '0123\n'])
  t.equal(await readFile(file, 'utf8'), 'old\n0123456789\n0123\n', 'exactly full')
  await log.append(['next\n'])
  t.equal(await readFile(file, 'utf8'), 'next\n')
  t.equal(await readFile(path.join(dir, 'audit-2026-11-22T10-00-00.000.log'), 'utf8'), 'old\n0123456789\n0123\n')
  t.equal((await stat(file)).mode & 0o777, 0o600)
  await log.append(['a'.repeat(30) + '\n', 'b'.repeat(30) + '\n', 'c'.repeat(30) + '\n'])
  t.same((await readdir(dir)).sort(), ['audit-2026-11-22T10-00-00.002.log', 'audit-2026-11-22T10-00-00.003.log', 'audit.log'], 'a line longer than the limit is written alone; the oldest backups went')
  t.match(await readFile(path.join(dir, 'audit-2026-11-22T10-00-00.003.log'), 'utf8'), /^b+\n$/, 'the newest backup is kept even though all rotated within a millisecond')
  await writeFile(path.join(dir, 'audit-notes.log'), 'mine')
  now += 2 * 24 * 60 * 60 * 1000
  await log.append(['d\n'.repeat(12)])
  t.same((await readdir(dir)).sort(), ['audit-2026-11-24T10-00-00.000.log', 'audit-notes.log', 'audit.log'], 'old backups went, other files stay')
  await log.close()
})

t.test('the sink writes everything in order and flushes on close', async t => {
  const file = path.join(t.testdir(), 'audit.log')
  const sink = await LogSink.toFile({ path: file, maxSizeBytes: 0, maxBackups: 0, maxAgeDays: 0 })
  const lines = Array.from({ length: 1000 }, (_, i) => `${i}\n`)
  for (const line of lines) sink.write(line)
  await sink.close()
  t.equal(await readFile(file, 'utf8'), lines.join(''))
  await t.rejects(LogSink.toFile({ path: path.join(file, 'x'), maxSizeBytes: 0, maxBackups: 0, maxAgeDays: 0 }), { code: 'ENOTDIR' })
  const stream = new PassThrough()
  const toStream = LogSink.toStream(stream)
  toStream.write('a\n')
  await toStream.close()
  t.equal(String(stream.read()), 'a\n')
  t.notOk(stream.writableEnded)
})

t.test('a full queue makes new requests wait, and only beyond the hard limit are lines lost and counted', async t => {
  const written: string[] = []
  let release!: () => void
  const gate = new Promise<void>(resolve => { release = resolve })
  const lost: [number, string][] = []
  const sink = LogSink.toWriter({ append: async lines => { await gate; written.push(...lines) }, close: async () => undefined }, { queueLimit: 10, hardLimitFactor: 2, onLost: (n, why) => { lost.push([n, why]) } })
  t.equal(sink.room(), undefined)
  sink.write('12345678\n')
  t.equal(sink.room(), undefined)
  sink.write('2345\n')
  const room = sink.room()
  t.ok(room instanceof Promise)
  t.equal(sink.room(), room, 'everybody waits for the same')
  sink.write('345\n')
  sink.write('45678\n')
  t.same(lost, [[1, 'QueueFull']])
  release()
  await room
  t.equal(sink.room(), undefined)
  await sink.close()
  t.same(written, ['12345678\n', '2345\n', '345\n'])
  sink.write('late\n')
  t.same(lost.at(-1), [1, 'QueueFull'], 'after close nothing is taken')
})

t.test('a file that refuses lines loses them, counted, and the sink goes on', async t => {
  const written: string[] = []
  const lost: unknown[] = []
  let full = true
  const sink = LogSink.toWriter({ append: async lines => { if (full) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' }); written.push(...lines) }, close: async () => undefined }, { queueLimit: 1, onLost: (n, why, error) => { lost.push([n, why, (error as { code: string }).code]) } })
  sink.write('a\n')
  await sink.room()
  t.same(lost, [[1, 'WriteFailed', 'ENOSPC']])
  full = false
  sink.write('b\n')
  await sink.close()
  t.same(written, ['b\n'])
})
