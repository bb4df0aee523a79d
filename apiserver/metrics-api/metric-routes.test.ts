import { join } from 'node:path'
import t from 'tap'
import { newClientCertificate } from '../../certs/client-certificate.js'
import { FakeKubeApiserver, until } from '../cluster/testdata/fake-kube-apiserver.js'
import { startServer } from '../../test/fixtures/server.js'
import type { MetricsRouteConfig } from '../options/metrics-route-options.js'
import { MetricRoutes } from './metric-routes.js'
import { OtherAdapter } from './other-adapter.js'

type Tap = Pick<typeof t, 'teardown' | 'testdir'>
const custom = 'custom.metrics.k8s.io'
const external = 'external.metrics.k8s.io'
const hpa = { name: 'system:serviceaccount:kube-system:horizontal-pod-autoscaler', uid: 'u-1', groups: ['system:serviceaccounts', 'system:authenticated'], extra: { 'example.com/Pod': ['a', 'b'] } }
const asked = (url: string): Parameters<OtherAdapter['ask']>[0] => ({ url, accept: 'application/json', user: hpa, signal: new AbortController().signal })
const listOf = (...names: [string, boolean][]): { body: object } => ({ body: { kind: 'APIResourceList', resources: names.map(([name, namespaced]) => ({ name, namespaced, kind: 'List', verbs: ['get'] })) } })

/** Another adapter, with the files of a front proxy and of an account. */
async function other (t: Tap): Promise<{ api: FakeKubeApiserver; dir: string; config: MetricsRouteConfig; impersonating: MetricsRouteConfig }> {
  const api = await FakeKubeApiserver.start(t)
  const proxy = newClientCertificate(api.ca, { user: 'front-proxy-client' })
  const dir = t.testdir({ 'ca.crt': api.ca.certificatePem, 'proxy.crt': proxy.certificatePem, 'proxy.key': proxy.privateKeyPem, token: 'secret\n' })
  const config: MetricsRouteConfig = {
    group: undefined, namespace: '*', metric: '*', url: api.url, caFile: join(dir, 'ca.crt'), serverName: undefined, timeoutMs: 10_000,
    identity: { type: 'frontProxy', certificateFile: join(dir, 'proxy.crt'), keyFile: join(dir, 'proxy.key') }
  }
  return { api, dir, config, impersonating: { ...config, identity: { type: 'impersonate', tokenFile: join(dir, 'token') } } }
}

function adapterOf (t: Tap, config: MetricsRouteConfig, more: { restMs?: number; discoveryMs?: number; onError?: (error: unknown) => void; onChange?: () => void } = {}): OtherAdapter {
  const adapter = new OtherAdapter({ config, userAgent: 'annex/test', onChange: () => {}, onError: () => {}, ...more })
  t.teardown(() => adapter.stop())
  return adapter
}

t.test('A request is passed on with the name of who asks, and the answer comes back as it is', async t => {
  const { api, config, impersonating } = await other(t)
  const path = `/apis/${external}/v1beta1/namespaces/shop/queue`
  api.on(`GET ${path}`, () => ({ status: 404, headers: { 'retry-after': '9', 'content-type': 'application/x' }, body: 'not here' }))
  for (const [route, user, headers] of [
    [config, 'front-proxy-client', { 'x-remote-user': hpa.name, 'x-remote-uid': 'u-1', 'x-remote-group': 'system:serviceaccounts, system:authenticated', 'x-remote-extra-example.com%2fpod': 'a, b', authorization: undefined }],
    [impersonating, '', { 'impersonate-user': hpa.name, 'impersonate-uid': undefined, 'impersonate-group': 'system:serviceaccounts', authorization: 'Bearer secret' }]
  ] as const) {
    t.same(await adapterOf(t, route).ask(asked(`${path}?labelSelector=a%3Db`)), { status: 404, contentType: 'application/x', body: Buffer.from('not here') })
    const received = api.received.at(-1)!
    t.equal(received.user, user)
    t.match(received.headers, { ...headers, accept: 'application/json', 'x-annex-metrics-route': '1' })
    t.equal(received.query.get('labelSelector'), 'a=b')
  }
})

t.test('An adapter that does not answer is given up in time, and then left alone for a while', async t => {
  const { api, config } = await other(t)
  api.on('GET /slow', () => 'never')
  api.on('GET /gone', () => undefined)
  api.on('GET /broken', () => ({ status: 500, body: { kind: 'Status' } }))
  const slow = adapterOf(t, { ...config, timeoutMs: 50 })
  await t.rejects(slow.ask(asked('/slow')), { code: 503, message: `the metric is routed to ${api.url}: Get "${api.url}/slow": context deadline exceeded`, status: { details: undefined } })

  const adapter = adapterOf(t, config, { restMs: 4_000 })
  for (let i = 0; i < 20; i++) t.equal((await adapter.ask(asked('/broken'))).status, 500, 'an answer is an answer')
  for (let i = 0; i < 5; i++) await t.rejects(adapter.ask(asked('/gone')), { code: 503 })
  const before = api.received.length
  await t.rejects(adapter.ask(asked('/broken')), { code: 503, message: `the metric is routed to ${api.url}: it did not answer 5 times in a row, and is left alone for a moment` })
  t.equal(api.received.length, before, 'nobody asked')
  await until(async () => await adapter.ask(asked('/broken')).then(() => true, () => false))

  const leaving = new AbortController()
  const waiting = adapter.ask({ ...asked('/slow'), signal: leaving.signal })
  await until(() => api.count('GET /slow') > 0)
  leaving.abort(new Error('gone'))
  await t.rejects(waiting, { message: 'gone' })
})

t.test('No more than 32 requests are under way at once', async t => {
  const { api, config } = await other(t)
  let release = (): void => {}
  const held = new Promise<void>(resolve => { release = resolve })
  api.on('GET /held', async () => {
    await held
    return { body: {} }
  })
  const adapter = adapterOf(t, config)
  const waiting = Array.from({ length: 32 }, () => adapter.ask(asked('/held')))
  await t.rejects(adapter.ask(asked('/held')), { code: 503, message: /32 requests to it are under way already/ })
  release()
  t.same(new Set((await Promise.all(waiting)).map(a => a.status)), new Set([200]))
})

t.test('The first rule that fits leads the way', async t => {
  const { config } = await other(t)
  const to = (name: string, rule: Partial<MetricsRouteConfig>): MetricsRouteConfig => ({ ...config, url: `https://${name}`, ...rule })
  const routes = new MetricRoutes([
    to('one', { group: external, namespace: 'team-*', metric: 'kafka-*' }),
    to('two', { group: external, metric: 'Queue.*' }),
    to('three', { group: custom, namespace: 'shop' }),
    to('four', { group: custom, metric: 'http_*_total' }),
    to('one', { group: external, metric: 'also' })
  ], { userAgent: 'x', onChange: () => {}, onError: () => {} })
  t.teardown(() => routes.stop())
  const table: [string, string | undefined, string, string | undefined][] = [
    [external, 'team-a', 'kafka-lag', 'one'], [external, 'team-a', 'KAFKA-LAG', 'one'], [external, 'shop', 'kafka-lag', undefined], [external, 'team-a', 'my-kafka-lag', undefined],
    [external, 'shop', 'queue.mail', 'two'], [external, 'shop', 'queuexmail', undefined], [external, 'shop', 'also', 'one'],
    [custom, 'shop', 'x', 'three'], [custom, undefined, 'x', undefined], [custom, undefined, 'http_a_total', 'four'], [custom, 'y', 'HTTP_a_total', undefined], [custom, 'y', 'http__total', 'four']
  ]
  for (const [group, namespace, metric, name] of table) t.equal(routes.find({ group, namespace, metric })?.url, name && `https://${name}`, `${group} ${namespace} ${metric}`)
})

t.test('What others list is known while they are away; a failure is told once', async t => {
  const { api, config } = await other(t)
  const errors: string[] = []
  let changes = 0
  api.on(`GET /apis/${custom}/v1beta2`, () => ({ status: 404, body: {} }))
  api.on(`GET /apis/${custom}/v1beta1`, () => listOf(['pods/a', true], ['custommetrics', true], ['nodes/http_b', false]))
  api.on(`GET /apis/${external}/v1beta1`, () => listOf(['externalmetrics', true], ['kafka-lag', true]))
  const routes = new MetricRoutes([{ ...config, group: external, metric: 'kafka-*' }, { ...config, group: custom }], {
    userAgent: 'x', discoveryMs: 1, onChange: () => { changes++ }, onError: (url, error) => { errors.push(`${url} ${(error as Error).message}`) }
  })
  t.teardown(() => routes.stop())
  routes.start()
  await until(() => changes > 0)
  const names = (group: string): string[] => routes.resources(group).map(r => `${r.name} ${r.namespaced}`)
  t.same(names(custom), ['nodes/http_b false', 'pods/a true'], 'no placeholders')
  t.same(names(external), ['kafka-lag true'])
  api.on(`GET /apis/${custom}/v1beta2`, () => ({ status: 503, body: 'away' }))
  await until(() => errors.length > 0)
  const before = api.received.length
  await until(() => api.received.length > before + 2)
  t.same([errors, changes], [[`${api.url} the discovery of ${custom}/v1beta2 is answered with 503: away`], 1])
  t.same(names(external), ['kafka-lag true'])
})

t.test('A server passes on what nobody wrote to it, lists both, and answers its own while the other side hangs', async t => {
  const { api, dir, config } = await other(t)
  const [v1beta2, v1beta1] = [`/apis/${custom}/v1beta2`, `/apis/${external}/v1beta1`]
  api.on(`GET ${v1beta2}`, () => listOf(['pods/theirs', true], ['pods/ours', true], ['nodes/load', true], ['services/x', false], ['services/y', true]))
  api.on(`GET ${v1beta1}`, () => listOf(['externalmetrics', true], ['queue', true], ['lag', true]))
  for (const path of [`${v1beta2}/namespaces/shop/pods/%2A/theirs`, `${v1beta2}/namespaces/other/pods/*/ours`, `${v1beta1}/namespaces/shop/lag`]) api.on(`GET ${path}`, ({ headers }) => ({ headers: { 'retry-after': '1' }, body: { from: 'there', accept: headers.accept } }))
  api.on(`GET ${v1beta1}/namespaces/shop/hangs`, () => 'never')
  const { identity } = config as { identity: { certificateFile: string; keyFile: string } }
  const way = `url=${api.url},ca-file=${join(dir, 'ca.crt')},cert-file=${identity.certificateFile},key-file=${identity.keyFile}`
  const server = await startServer(t, [`--metrics-route=group=${custom},${way}`, `--metrics-route=group=${external},metric=[lh]a*,${way}`, `--metrics-route=group=${external},metric=*a*,${way},timeout=30s`], { inProcess: true })
  const write = async (content: { metadata: object }): Promise<void> => { t.equal((await server.request('POST', '/apis/metrics.example.com/v1alpha1/namespaces/shop/custommetrics', { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', value: 1, ...content } })).status, 201) }
  await write({ metadata: { name: 'a' }, metric: { name: 'ours' }, describedObject: { kind: 'Pod', name: 'p' } } as never)
  await write({ metadata: { name: 'b' }, metric: { name: 'load' }, describedObject: { kind: 'Node', name: 'n' } } as never)
  await write({ metadata: { name: 'stale' }, timestamp: '2026-01-01T00:00:00Z' } as never)
  const get = async (path: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string; retry: unknown }> => {
    const { status, text, headers: got } = await server.request('GET', path, { headers })
    return { status, text, retry: got['retry-after'] }
  }
  await until(async () => (await get(`${v1beta1}/namespaces/shop/stale`)).text.includes('expired'))
  t.match(await get(`${v1beta1}/namespaces/shop/stale`), { status: 404 }, 'an expired one is ours, and is not asked for elsewhere')
  t.equal(api.count(`GET ${v1beta1}/namespaces/shop/stale`), 0)
  t.match(await get(`${v1beta2}/namespaces/shop/pods/*/ours`), { status: 200, text: /"MetricValueList"/ })
  t.match(await get(`${v1beta2}/namespaces/shop/pods/%2A/theirs`, { accept: 'application/x' }), { status: 200, text: '{"from":"there","accept":"application/x"}', retry: undefined })
  t.match(await get(`${v1beta2}/namespaces/other/pods/*/ours`), { text: /"from":"there"/ }, 'in another namespace it is theirs')
  t.match(await get(`${v1beta1}/namespaces/shop/lag`), { text: /"from":"there"/ })
  t.match(api.received.at(-1), { user: 'front-proxy-client', headers: { 'x-remote-user': /./, 'x-remote-group': /system:masters/ } })
  t.match(await get(`${v1beta1}/namespaces/shop/queue`), { status: 404, text: /never written/ }, 'no rule leads there')
  t.match(await get(`${v1beta1}/namespaces/shop/lag`, { 'x-annex-metrics-route': '1' }), { status: 404, text: /never written/ }, 'what was passed on once is not passed on again')

  const names = async (path: string): Promise<string[]> => ((await server.request('GET', path)).json['resources'] as { name: string; namespaced: boolean }[]).map(r => `${r.name} ${r.namespaced}`)
  await until(async () => (await names(v1beta2)).length > 3 && (await names(v1beta1)).includes('stale true'))
  t.same(await names(v1beta2), ['nodes/load false', 'pods/ours true', 'pods/theirs true', 'services/x false'], 'one scope a resource')
  t.same(await names(v1beta1), ['lag true', 'stale true'])

  const hanging = Array.from({ length: 40 }, () => get(`${v1beta1}/namespaces/shop/hangs`))
  await until(() => api.count(`GET ${v1beta1}/namespaces/shop/hangs`) === 32)
  t.match(await get(`${v1beta2}/namespaces/shop/pods/*/ours`), { status: 200 })
  t.match(await get(`${v1beta2}/namespaces/shop/pods/%2A/theirs`), { status: 200 }, 'another way to it is another bound')
  await api.stop()
  const answers = await Promise.all(hanging)
  t.same(new Set(answers.map(a => a.status)), new Set([503]))
  t.match(await get(`${v1beta1}/namespaces/shop/lag`), { status: 503, text: /the metric is routed to https:\/\/127\.0\.0\.1:\d+: /, retry: undefined })
  t.match(await get(`${v1beta2}/namespaces/shop/pods/*/ours`), { status: 200 })
  t.same(await names(v1beta1), ['lag true', 'stale true'])
})
