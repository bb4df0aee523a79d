import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { JsonObject } from '../../registry/codec/value.js'
import { defineResource } from '../../registry/generic/define-resource.js'
import type { Resource } from '../../registry/generic/resource.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { contentHash, type DocumentRequest, type DocumentResponse } from '../discovery/document.js'
import { recordedResources } from '../discovery/testdata/resources.js'
import { OpenAPIV3 } from './openapi-v3.js'
import { referencedNames } from './schema.js'
import { comparable, object, recordedDocument } from './testdata/recorded.js'

const info = { title: 'Annex', version: '0.1.0' }
const now = (): Date => new Date('2026-02-03T04:05:06.700Z')
const get = (url: string, headers: DocumentRequest['headers'] = {}): DocumentRequest => {
  const { pathname, searchParams } = new URL(url, 'http://x')
  return { path: pathname, query: searchParams, headers }
}

function answer (openapi: OpenAPIV3, url: string, headers: DocumentRequest['headers'] = {}): DocumentResponse {
  const response = openapi.handle(get(url, headers))
  if (response === undefined) throw new Error(`nothing at ${url}`)
  return response
}
const json = (response: DocumentResponse): JsonObject => JSON.parse(response.body.toString()) as JsonObject
const urlOf = (openapi: OpenAPIV3, path: string): string => String(object(object(json(answer(openapi, '/openapi/v3')).paths)[path]).serverRelativeURL)

const defined = (schema: StructuralSchema, names = { plural: 'things', singular: 'thing', kind: 'Thing' }): Resource =>
  defineResource({ group: 'things.example.com', names, scope: 'Namespaced', versions: [{ name: 'v1', storage: true, schema }] })
const thingSchema = (schema: StructuralSchema): JsonObject => {
  const document = json(answer(new OpenAPIV3({ resources: [defined(schema)], info }), '/openapi/v3/apis/things.example.com/v1'))
  return object(object(object(document.components).schemas)['com.example.things.v1.Thing'])
}

t.test('documents are what kube-apiserver publishes for the same CustomResourceDefinitions', async t => {
  const openapi = new OpenAPIV3({ resources: recordedResources(), info })
  for (const groupVersion of ['example.com/v1', 'fuzz.example.com/v1', 'mycompany.io/v2', 'metrics.example.com/v1alpha1']) {
    const want = recordedDocument(`v3-${groupVersion.replace('/', '-')}`)
    const got = comparable(json(answer(openapi, `/openapi/v3/apis/${groupVersion}`)))
    t.same(Object.keys(got.paths), Object.keys(object(want.paths)).sort(), `paths of ${groupVersion}`)
    for (const [path, item] of Object.entries(got.paths)) t.strictSame(item, object(want.paths)[path], path)
    t.same(Object.keys(got.schemas), Object.keys(object(want.schemas)).sort(), `schemas of ${groupVersion}`)
    for (const [name, schema] of Object.entries(got.schemas)) t.strictSame(schema, object(want.schemas)[name], name)
  }
})

t.test('every document of the index is there, has that hash, refers to nothing that is missing, and describes itself', async t => {
  const openapi = new OpenAPIV3({ resources: recordedResources(), info, now })
  const index = answer(openapi, '/openapi/v3')
  t.equal(index.headers['content-type'], 'application/json')
  t.equal(index.headers.etag, `"${contentHash(index.body)}"`)
  const paths = object(json(index).paths)
  t.same(Object.keys(paths).filter(path => path.split('/').length < 3), ['apis', 'apis/db.example.com', 'apis/example.com', 'apis/fuzz.example.com', 'apis/metrics.example.com', 'apis/mycompany.io', 'version'])
  t.equal(Object.keys(paths).length, 7 + 8)

  for (const path of Object.keys(paths)) {
    const url = urlOf(openapi, path)
    const response = answer(openapi, url, { accept: 'application/json' })
    const hash = contentHash(response.body)
    t.equal(url, `/openapi/v3/${path}?hash=${hash}`)
    t.strictSame(response.headers, {
      'content-type': 'application/json', etag: `"${hash}"`, 'last-modified': 'Tue, 03 Feb 2026 04:05:06 GMT', vary: 'Accept, Accept-Encoding',
      'cache-control': 'public, immutable', expires: 'Wed, 03 Feb 2027 04:05:06 GMT'
    })
    const document = json(response)
    const schemas = object(object(document.components).schemas)
    t.same([...referencedNames('v3', document)].filter(name => schemas[name] === undefined), [], `references of ${path}`)
    for (const [name, schema] of Object.entries(schemas)) {
      if (name.startsWith('io.k8s.')) t.ok(object(schema).description, `${name} has a description`)
    }
  }
})

t.test('equal resources have equal hashes, in whatever order they are given', async t => {
  const resources = recordedResources()
  const one = answer(new OpenAPIV3({ resources, info }), '/openapi/v3')
  const other = answer(new OpenAPIV3({ resources: recordedResources().reverse(), info }), '/openapi/v3')
  t.equal(other.headers.etag, one.headers.etag)
})

t.test('a stale hash gets the document without a promise that it stays, not a redirect', async t => {
  const openapi = new OpenAPIV3({ resources: recordedResources(), info })
  const path = '/openapi/v3/apis/example.com/v1'
  const stale = answer(openapi, `${path}?hash=ABC`)
  t.equal(stale.status, 200)
  t.same(stale, answer(openapi, path))
  t.notOk(stale.headers['cache-control'])
  t.notOk(stale.headers.expires)
})

t.test('a client that has a document gets 304', async t => {
  const openapi = new OpenAPIV3({ resources: recordedResources(), info, now })
  for (const url of ['/openapi/v3', '/openapi/v3/apis/example.com/v1']) {
    const { headers } = answer(openapi, url)
    const cases: { name: string; headers: DocumentRequest['headers']; want: number }[] = [
      { name: 'same tag', headers: { 'if-none-match': headers.etag }, want: 304 },
      { name: 'weak tag among others', headers: { 'if-none-match': `"a", W/${headers.etag}` }, want: 304 },
      { name: 'another tag', headers: { 'if-none-match': '"a"', 'if-modified-since': headers['last-modified'] }, want: 200 },
      { name: 'same second', headers: { 'if-modified-since': headers['last-modified'] }, want: 304 },
      { name: 'older', headers: { 'if-modified-since': 'Tue, 03 Feb 2026 04:05:05 GMT' }, want: 200 },
      { name: 'no date', headers: { 'if-modified-since': 'yesterday' }, want: 200 }
    ]
    for (const { name, headers, want } of cases) {
      const response = answer(openapi, url, headers)
      t.equal(response.status, want, `${name}: ${url}`)
      t.equal(response.body.length === 0, want === 304)
    }
  }
})

t.test('what cannot be had is empty: 406 for another media type, 404 for an unknown document', async t => {
  const openapi = new OpenAPIV3({ resources: recordedResources(), info })
  const path = '/openapi/v3/apis/example.com/v1'
  const cases: { url: string; accept?: string; want: number }[] = [
    { url: path, accept: 'application/yaml', want: 406 },
    { url: path, accept: 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf', want: 406 },
    { url: path, accept: 'application/com.github.proto-openapi.spec.v3.v1.0+protobuf, application/json;q=0.5', want: 200 },
    { url: path, accept: '*/*', want: 200 },
    { url: '/openapi/v3', accept: 'application/yaml', want: 200 },
    { url: '/openapi/v3/apis/example.com/v9', want: 404 },
    { url: '/openapi/v3/', want: 404 },
    { url: '/openapi/v3/api', want: 404 }
  ]
  for (const { url, accept, want } of cases) {
    const response = answer(openapi, url, accept === undefined ? {} : { accept })
    t.equal(response.status, want, `${url} ${accept}`)
    if (want !== 200) t.equal(response.body.length, 0)
  }
  for (const url of ['/openapi/v2', '/openapi', '/openapi/v33']) t.equal(openapi.handle(get(url)), undefined)
})

t.test('gzip is sent to those that accept it', async t => {
  const openapi = new OpenAPIV3({ resources: recordedResources(), info })
  const path = '/openapi/v3/apis/example.com/v1'
  const plain = answer(openapi, path)
  for (const encoding of ['gzip', 'br, gzip;q=0.5', '*']) {
    const response = answer(openapi, path, { 'accept-encoding': encoding })
    t.equal(response.headers['content-encoding'], 'gzip', encoding)
    t.same(gunzipSync(response.body), plain.body)
    t.equal(response.headers.etag, plain.headers.etag)
  }
  for (const encoding of ['identity', 'gzip;q=0', 'br']) t.same(answer(openapi, path, { 'accept-encoding': encoding }), plain, encoding)
})

t.test('a rebuild keeps the documents of group versions that have not changed', async t => {
  const resources = recordedResources()
  let time = 0
  const openapi = new OpenAPIV3({ resources, info, now: () => new Date(time) })
  const kept = answer(openapi, '/openapi/v3/apis/example.com/v1')
  const index = answer(openapi, '/openapi/v3')
  time = 5000
  openapi.rebuild([...resources.filter(r => r.names.plural !== 'widgets'), defined({ type: 'object' })])
  t.equal(answer(openapi, '/openapi/v3/apis/example.com/v1').body, kept.body)
  t.not(answer(openapi, '/openapi/v3').headers.etag, index.headers.etag)
  t.equal(answer(openapi, '/openapi/v3/apis/fuzz.example.com/v1').headers['last-modified'], 'Thu, 01 Jan 1970 00:00:05 GMT')
  t.equal(answer(openapi, '/openapi/v3/apis/fuzz.example.com/v1beta1').status, 404)
  t.equal(answer(openapi, '/openapi/v3/apis/things.example.com/v1').status, 200)
})

t.test('int-or-string is spelt out as anyOf, unless the schema does so already', async t => {
  const both = [{ type: 'integer' }, { type: 'string' }] as const
  const cases: { name: string; schema: StructuralSchema; want: JsonObject }[] = [
    { name: 'bare', schema: {}, want: { anyOf: [...both] } },
    { name: 'anyOf of both', schema: { anyOf: both }, want: { anyOf: [...both] } },
    { name: 'allOf that begins with anyOf of both', schema: { allOf: [{ anyOf: both }, { pattern: 'a' }] }, want: { allOf: [{ anyOf: [...both] }, { pattern: 'a' }] } },
    { name: 'another anyOf', schema: { anyOf: [{ minimum: 1 }], allOf: [{ pattern: 'a' }] }, want: { anyOf: [{ minimum: 1 }], allOf: [{ anyOf: [...both] }, { pattern: 'a' }] } },
    { name: 'anyOf the other way round', schema: { anyOf: [...both].reverse() }, want: { anyOf: [...both].reverse(), allOf: [{ anyOf: [...both] }] } }
  ]
  for (const { name, schema, want } of cases) {
    const published = thingSchema({ type: 'object', properties: { x: { 'x-kubernetes-int-or-string': true, ...schema } } })
    t.strictSame(object(published.properties).x, { 'x-kubernetes-int-or-string': true, ...want }, name)
  }
})

t.test('what is empty or false is left out, but data are not', async t => {
  const published = thingSchema({
    type: 'object',
    properties: {
      a: { type: 'string', nullable: false, description: '', enum: [], default: '' },
      b: { type: 'object', required: [], 'x-kubernetes-preserve-unknown-fields': false, additionalProperties: true, default: { description: '' } }
    }
  })
  t.strictSame(object(published.properties).a, { type: 'string', enum: [], default: '' })
  t.strictSame(object(published.properties).b, { type: 'object', additionalProperties: true, default: { description: '' } })
})

t.test('operation ids and descriptions follow upstream’s grammar', async t => {
  const document = (plural: string, kind: string): JsonObject =>
    json(answer(new OpenAPIV3({ resources: [defined({ type: 'object' }, { plural, singular: kind.toLowerCase(), kind })], info }), '/openapi/v3/apis/things.example.com/v1'))
  const post = (plural: string, kind: string): JsonObject =>
    object(object(object(document(plural, kind).paths)[`/apis/things.example.com/v1/namespaces/{namespace}/${plural}`]).post)
  t.equal(post('apples', 'Apple').description, 'create an Apple')
  t.equal(post('classes', 'Class').description, 'create a Class')
  t.equal(post('limits', 'Limits').description, 'create Limits')
  t.equal(post('apples', 'Apple').operationId, 'createThingsExampleComV1NamespacedApple')
  t.same(post('apples', 'Apple').tags, ['thingsExampleCom_v1'])
})
