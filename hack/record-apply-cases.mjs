#!/usr/bin/env node
// Plays the cases of apiserver/apply/testdata/cases.json against a real kube-apiserver that has testdata/crd.json installed, and writes
// what it answered into the file as `want`. A step is one request about one object:
//   {"apply": CONFIG, "by": "manager", "force": true, "to": "status"|"scale", "version": "v2"}   server-side apply
//   {"create"|"merge"|"json"|"put": BODY, …}                                                      other writes; put replaces
// apiVersion, kind and metadata.name are filled in. `"raw": true` sends a configuration as it is.
//   node hack/record-apply-cases.mjs --server https://127.0.0.1:6443 --cert F --key F [--only TEXT] [--print]
import fs from 'node:fs'
import https from 'node:https'
import { parseArgs } from 'node:util'

const { values: opt } = parseArgs({ options: { server: { type: 'string' }, cert: { type: 'string' }, key: { type: 'string' }, only: { type: 'string', default: '' }, print: { type: 'boolean' } } })
if (!opt.server) { console.error('usage: record-apply-cases.mjs --server URL --cert F --key F'); process.exit(2) }
const file = new URL('../apiserver/apply/testdata/cases.json', import.meta.url)
const agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false, cert: fs.readFileSync(opt.cert), key: fs.readFileSync(opt.key) })
const types = { apply: 'application/apply-patch+yaml', merge: 'application/merge-patch+json', json: 'application/json-patch+json', create: 'application/json', put: 'application/json' }

const send = (method, path, type, body) => new Promise((resolve, reject) => {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const req = https.request(opt.server + path, { method, agent, headers: { accept: 'application/json', 'user-agent': 'cases', ...(text && { 'content-type': type, 'content-length': Buffer.byteLength(text) }) } }, res => {
    let out = ''; res.on('data', c => { out += c }); res.on('end', () => resolve({ code: res.statusCode, body: JSON.parse(out) }))
  })
  req.on('error', reject); req.end(text)
})

const cases = JSON.parse(fs.readFileSync(file, 'utf8'))
const run = Date.now().toString(36); let n = 0
for (const c of cases.filter(c => c.name.includes(opt.only))) {
  const ns = `ac-${run}-${n++}`
  await send('POST', '/api/v1/namespaces', types.create, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } })
  for (const step of c.steps) {
    const verb = Object.keys(types).find(v => v in step)
    const version = step.version ?? 'v1'
    const collection = `/apis/apply.example.com/${version}/namespaces/${ns}/things`
    const path = collection + (verb === 'create' ? '' : '/x' + (step.to ? '/' + step.to : ''))
    const whole = verb !== 'merge' && verb !== 'json' && !step.raw
    const ofScale = step.to === 'scale'
    const body = !whole ? step[verb] : { apiVersion: ofScale ? 'autoscaling/v1' : `apply.example.com/${version}`, kind: ofScale ? 'Scale' : 'Thing', ...step[verb], metadata: { name: 'x', ...(ofScale && { namespace: ns }), ...step[verb].metadata } }
    if (verb === 'put') body.metadata.resourceVersion = (await send('GET', path)).body.metadata.resourceVersion
    const method = verb === 'create' ? 'POST' : verb === 'put' ? 'PUT' : 'PATCH'
    const a = await send(method, `${path}?fieldManager=${step.by}${step.force ? '&force=true' : ''}`, types[verb], body)
    const stored = ofScale && a.code < 300 ? await send('GET', collection + '/x') : a
    step.want = a.code >= 400 ? failure(a.body, ns) : outcome(stored.body)
    if (opt.print) console.log(c.name, verb, a.code, JSON.stringify(step.want))
  }
  await send('DELETE', `/api/v1/namespaces/${ns}`)
}
fs.writeFileSync(file, '[\n' + cases.map(({ name, steps }) => ` {"name": ${JSON.stringify(name)}, "steps": [\n${steps.map(s => '  ' + JSON.stringify(s)).join(',\n')}\n ]}`).join(',\n') + '\n]\n')
console.log(`${n} cases recorded`)

/** The object without what differs from run to run, and who owns what. */
function outcome (object) {
  const { managedFields = [], labels, annotations, finalizers, ownerReferences } = object.metadata
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = object
  return {
    object: { ...(labels && { labels }), ...(annotations && { annotations }), ...(finalizers && { finalizers }), ...(ownerReferences && { ownerReferences }), ...rest },
    managers: Object.fromEntries(managedFields.map(e => [`${e.manager} ${e.operation} ${e.apiVersion.replace(/.*\//, '')}${e.subresource ? ' ' + e.subresource : ''}${e.time ? '' : ' untimed'}`, e.fieldsV1]))
  }
}

function failure (status, ns) {
  const causes = status.details?.causes?.filter(c => c.reason === 'FieldManagerConflict').map(c => `${c.field}: ${c.message}`).sort()
  return { error: status.message.split(ns).join('NS'), ...(causes?.length && { causes }) }
}
