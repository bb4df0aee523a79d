import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import type { JsonObject } from '../../registry/codec/value.js'
import { defineResource } from '../../registry/generic/define-resource.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { contentHash, type DocumentRequest, type DocumentResponse } from '../discovery/document.js'
import { recordedResources } from '../discovery/testdata/resources.js'
import { OpenAPIV2 } from './openapi-v2.js'
import { referencedNames } from './schema.js'
import { swaggerProtobuf } from './swagger-protobuf.js'
import { comparable, object, recordedDocument } from './testdata/recorded.js'

const info = { title: 'Annex', version: '0.1.0' }

function answer (openapi: OpenAPIV2, headers: DocumentRequest['headers'] = {}): DocumentResponse {
  const response = openapi.handle({ path: '/openapi/v2', query: new URLSearchParams(), headers })
  if (response === undefined) throw new Error('no document')
  return response
}
const json = (response: DocumentResponse): JsonObject => JSON.parse(response.body.toString()) as JsonObject

t.test('the document is what kube-apiserver publishes for the same CustomResourceDefinitions', async t => {
  const want = recordedDocument('v2')
  const got = comparable(json(answer(new OpenAPIV2({ resources: recordedResources(), info }))))
  for (const [path, item] of Object.entries(object(want.paths))) t.strictSame(got.paths[path], item, path)
  for (const [name, schema] of Object.entries(object(want.definitions))) t.strictSame(got.schemas[name], schema, name)
  const ours = Object.keys(got.paths).filter(path => /^\/apis\/(example.com|fuzz.example.com|mycompany.io)\/./.test(path))
  t.same(ours, Object.keys(object(want.paths)).sort())
})

t.test('references resolve, and parameters of one name are told apart', async t => {
  const document = json(answer(new OpenAPIV2({ resources: recordedResources(), info })))
  t.equal(document.swagger, '2.0')
  const definitions = object(document.definitions)
  t.same([...referencedNames('v2', document)].filter(name => definitions[name] === undefined), [])
  t.notOk(JSON.stringify(document).includes('#/components/'))
  const parameters = object(document.parameters)
  const references = JSON.stringify(document).match(/#\/parameters\/[^"]+/g) ?? []
  t.same([...new Set(references)].map(text => text.slice('#/parameters/'.length)).sort(), Object.keys(parameters).sort())
  t.equal(Object.keys(parameters).filter(name => name.startsWith('fieldManager')).length, 2, 'a patch says something else of fieldManager')
  for (const path of ['/apis/', '/apis/example.com/', '/version/']) t.ok(object(document.paths)[path], path)
})

t.test('what Swagger 2 cannot say is left out as upstream leaves it out', async t => {
  const cases: { name: string; schema: StructuralSchema; want: JsonObject }[] = [
    { name: 'nullable', schema: { type: 'string', nullable: true, maxLength: 3 }, want: { maxLength: 3 } },
    { name: 'nullable list', schema: { type: 'array', nullable: true, items: { type: 'string' } }, want: {} },
    { name: 'list that keeps anything', schema: { type: 'array', 'x-kubernetes-preserve-unknown-fields': true, items: { type: 'string' } }, want: { 'x-kubernetes-preserve-unknown-fields': true } },
    { name: 'open object', schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: { type: 'string' } } }, want: { 'x-kubernetes-preserve-unknown-fields': true } },
    { name: 'junctors and defaults', schema: { type: 'integer', default: 1, anyOf: [{ minimum: 1 }], allOf: [{ minimum: 1 }], oneOf: [{ minimum: 1 }], not: { minimum: 9 } }, want: { type: 'integer' } },
    {
      name: 'required but nullable members', want: { type: 'object', required: ['b'], properties: { a: {}, b: { type: 'string' } } },
      schema: { type: 'object', required: ['a', 'b'], properties: { a: { type: 'string', nullable: true }, b: { type: 'string' } } }
    },
    {
      name: 'required members of a map of nullable values', want: { type: 'object', additionalProperties: {} },
      schema: { type: 'object', required: ['a'], additionalProperties: { type: 'string', nullable: true } }
    },
    { name: 'int-or-string', schema: { 'x-kubernetes-int-or-string': true }, want: { 'x-kubernetes-int-or-string': true } }
  ]
  for (const { name, schema, want } of cases) {
    const resource = defineResource({
      group: 'things.example.com',
      names: { plural: 'things', singular: 'thing', kind: 'Thing' },
      scope: 'Cluster',
      versions: [{ name: 'v1', storage: true, schema: { type: 'object', properties: { x: schema } } }]
    })
    const document = json(answer(new OpenAPIV2({ resources: [resource], info })))
    t.strictSame(object(object(object(document.definitions)['com.example.things.v1.Thing']).properties).x, want, name)
  }
})

t.test('an embedded resource has the members of an object', async t => {
  const resource = defineResource({
    group: 'things.example.com',
    names: { plural: 'things', singular: 'thing', kind: 'Thing' },
    scope: 'Cluster',
    versions: [{ name: 'v1', storage: true, schema: { type: 'object', properties: { x: { type: 'object', required: ['kind', 'spec'], 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } } } } }]
  })
  const { schemas } = comparable(json(answer(new OpenAPIV2({ resources: [resource], info }))))
  t.strictSame(object(object(schemas['com.example.things.v1.Thing']).properties).x, {
    type: 'object',
    required: ['kind', 'spec', 'apiVersion'],
    'x-kubernetes-embedded-resource': true,
    properties: { spec: { type: 'object' }, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' } }
  })
})

t.test('the document is JSON or protobuf, cacheable and compressed where accepted', async t => {
  const openapi = new OpenAPIV2({ resources: recordedResources(), info, now: () => new Date(1e12) })
  const plain = answer(openapi)
  t.strictSame(plain.headers, {
    'content-type': 'application/json', etag: `"${contentHash(plain.body)}"`, 'last-modified': new Date(1e12).toUTCString(), vary: 'Accept, Accept-Encoding'
  })
  t.equal(answer(openapi, { accept: '*/*' }).body, plain.body, 'built once')
  for (const accept of ['application/com.github.proto-openapi.spec.v2.v1.0+protobuf', 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf, */*;q=0.1']) {
    const { headers, body } = answer(openapi, { accept })
    t.equal(headers['content-type'], 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf')
    t.equal(headers.etag, `"${contentHash(body)}"`)
    t.ok(body.equals(swaggerProtobuf(JSON.parse(plain.body.toString()) as JsonObject)))
  }
  const refused = answer(openapi, { accept: 'application/yaml' })
  t.equal(refused.status, 406)
  t.equal(refused.body.length, 0)
  t.equal(answer(openapi, { 'if-none-match': plain.headers.etag }).status, 304)
  const compressed = answer(openapi, { 'accept-encoding': 'gzip, deflate' })
  t.same(gunzipSync(compressed.body), plain.body)
  t.equal(answer(openapi, { 'accept-encoding': 'gzip' }).body, compressed.body, 'compressed once')
  openapi.rebuild([])
  t.not(answer(openapi).headers.etag, plain.headers.etag)
  t.equal(openapi.handle({ path: '/openapi/v2/', query: new URLSearchParams(), headers: {} }), undefined)
})

t.test('the protobuf is byte for byte what gnostic makes of the same document', t => {
  const { swagger, protobuf } = JSON.parse(readFileSync(new URL('testdata/swagger-protobuf.json', import.meta.url), 'utf8')) as { swagger: JsonObject; protobuf: string }
  t.equal(swaggerProtobuf(swagger).toString('base64'), protobuf)
  t.end()
})
