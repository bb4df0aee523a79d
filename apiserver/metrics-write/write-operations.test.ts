import { gzipSync } from 'node:zlib'
import t from 'tap'
import { remoteWriteHeaders, snappy, writeRequestBytes } from '../../test/fixtures/remote-write.js'
import { startServer } from '../../test/fixtures/server.js'

interface Body { readonly content?: Record<string, { schema: object }> }
interface OperationV3 { readonly operationId: string; readonly requestBody: Body; readonly responses: Record<string, Body> }
interface OperationV2 { readonly operationId: string; readonly consumes: string[]; readonly produces: string[]; readonly parameters: object[]; readonly responses: Record<string, { schema?: object }> }
type Document<T> = { paths: Record<string, { post: T; parameters: object[] }> }

const server = await startServer(t, [], { inProcess: true })
const group = '/apis/metrics.example.com/v1alpha1'
const v3 = JSON.parse((await server.request('GET', '/openapi/v3/apis/metrics.example.com/v1alpha1')).text) as Document<OperationV3>
const v2 = JSON.parse((await server.request('GET', '/openapi/v2')).text) as Document<OperationV2>
const path = (resource: string): string => `${group}/namespaces/{namespace}/${resource}`

t.test('OpenAPI says of both resources what they take and answer', async t => {
  const tooLarge = Buffer.alloc(4 * 1024 * 1024)
  const protobuf = 'application/x-protobuf'
  const cases: { resource: string; headers: Record<string, string>; body: Buffer | string; code: number; accepts: string }[] = [
    { resource: 'remotewrites', headers: remoteWriteHeaders.v1, body: snappy(writeRequestBytes([])), code: 204, accepts: protobuf },
    { resource: 'remotewrites', headers: remoteWriteHeaders.v1, body: 'no snappy', code: 400, accepts: protobuf },
    { resource: 'remotewrites', headers: remoteWriteHeaders.v1, body: tooLarge, code: 413, accepts: protobuf },
    { resource: 'remotewrites', headers: { ...remoteWriteHeaders.v1, 'content-encoding': 'zstd' }, body: '', code: 415, accepts: protobuf },
    ...['application/json', protobuf].flatMap(accepts => [
      { resource: 'otlpmetrics', headers: { 'content-type': accepts }, body: accepts === protobuf ? '' : '{}', code: 200, accepts },
      { resource: 'otlpmetrics', headers: { 'content-type': accepts, 'content-encoding': 'gzip' }, body: gzipSync(accepts === protobuf ? '' : '{}'), code: 200, accepts },
      { resource: 'otlpmetrics', headers: { 'content-type': accepts }, body: '!', code: 400, accepts },
      { resource: 'otlpmetrics', headers: { 'content-type': accepts }, body: tooLarge, code: 413, accepts },
      { resource: 'otlpmetrics', headers: { 'content-type': accepts, 'content-encoding': 'zstd' }, body: '', code: 415, accepts }
    ])
  ]
  for (const { resource, headers, body, code, accepts } of cases) {
    const answer = await server.request('POST', `${group}/namespaces/shop/${resource}`, { headers, body })
    t.equal(answer.status, code, `${resource} ${code}`)
    const type = answer.headers['content-type']?.split(';')[0]
    const [three, two] = [v3.paths[path(resource)]!.post, v2.paths[path(resource)]!.post]
    t.ok(three.requestBody.content?.[accepts], `${resource} takes ${accepts}`)
    t.ok(two.consumes.includes(accepts))
    const [answers, answersV2] = [three.responses[code], two.responses[code]]
    t.ok(answers && answersV2, `${resource} answers ${code}`)
    t.equal(type === undefined, answers?.content === undefined, 'a body or none')
    t.equal(type === undefined, answersV2?.schema === undefined)
    if (type === undefined) continue
    t.ok(answers?.content?.[type], `${resource} ${code} is ${type}`)
    t.ok(two.produces.includes(type))
  }
  for (const resource of ['remotewrites', 'otlpmetrics']) {
    const tried = new Set([...cases.filter(c => c.resource === resource).map(c => String(c.code)), '401'])
    t.same(Object.keys(v3.paths[path(resource)]!.post.responses).sort(), [...tried].sort(), 'nothing else is said')
  }
})

t.test('They are operations of the group version beside those of its kinds', async t => {
  t.ok(v3.paths[path('custommetrics')]?.post)
  for (const [resource, kind] of [['remotewrites', 'RemoteWrite'], ['otlpmetrics', 'OTLPMetrics']] as const) {
    const operation = { operationId: `createMetricsExampleComV1alpha1Namespaced${kind}`, 'x-kubernetes-action': 'post', 'x-kubernetes-group-version-kind': { group: 'metrics.example.com', version: 'v1alpha1', kind } }
    t.match(v3.paths[path(resource)], { post: operation, parameters: [{ name: 'namespace', in: 'path', required: true }] })
    t.match(v2.paths[path(resource)], { post: operation, parameters: [{ $ref: /^#\/parameters\/namespace/ }] })
    t.match(v2.paths[path(resource)]!.post.parameters, [{ name: 'body', in: 'body', required: true }])
  }
  const protobuf = await server.request('GET', '/openapi/v2', { headers: { accept: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' } })
  t.equal(protobuf.status, 200)
  t.ok(protobuf.bytes.includes(`${group}/namespaces/{namespace}/otlpmetrics`))
})
