import t, { type Test } from 'tap'
import { apiServiceConditions, registerAnnex, servedGroupVersions, startAnnex } from '../fixtures/control-plane-annex.js'
import { ApiError, type KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { database, objectOf, pathOf, sampleKinds, webapp } from '../fixtures/control-plane-objects.js'
import { startControlPlane } from '../fixtures/control-plane.js'
import { startEtcd } from '../fixtures/etcd.js'
import { findTool } from '../../hack/tools/build.mjs'

t.setTimeout(600_000)

t.test('kube-controller-manager works on the objects of Annex', async t => {
  const controlPlane = await startControlPlane(t)
  const etcd = await startEtcd(t, { version: findTool('etcd')! })
  const annex = await startAnnex(controlPlane, { etcd })
  const groupVersions = await servedGroupVersions(controlPlane, annex)
  await registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions })
  // Started now, the garbage collector discovers our kinds at once instead of half a minute later.
  await controlPlane.startControllerManager()
  const { client } = controlPlane.admin

  const configMaps = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`
  const namespaced = async (name: string): Promise<string> => {
    await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    return name
  }
  /** The object, or undefined if there is none. */
  const found = async <T = KubeObject> (path: string): Promise<T | undefined> => {
    const answer = await client.request<T>('GET', path)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new ApiError(`GET ${path}`, answer)
    return answer.json()
  }
  // A controller that was refused comes back later and later, up to a minute.
  const gone = (path: string): Promise<true> => until(`${path} to be gone`, async () => await found(path) === undefined, { timeoutMs: 240_000 })

  t.test('the garbage collector deletes what a Database owns', async t => {
    const namespace = await namespaced('garbage')
    const owned = async (name: string, finalizers: string[] = []): Promise<{ owner: string; dependent: string }> => {
      const { metadata } = await client.create(pathOf(database, namespace), objectOf(database, name))
      await client.create(configMaps(namespace), {
        apiVersion: 'v1', kind: 'ConfigMap',
        metadata: { name, finalizers, ownerReferences: [{ apiVersion: 'mycompany.io/v2', kind: 'Database', name, uid: metadata.uid, blockOwnerDeletion: true }] }
      })
      await collectorKnows(name)
      return { owner: pathOf(database, namespace, name), dependent: `${configMaps(namespace)}/${name}` }
    }
    /**
     * Waits until the collector has seen every ConfigMap: it learns of them in their order and collects one without an owner. What it has not yet
     * seen when the owner goes, it neither waits for nor orphans.
     */
    const collectorKnows = async (name: string): Promise<void> => {
      await client.create(configMaps(namespace), {
        apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `after-${name}`, ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '00000000-0000-4000-8000-000000000001' }] }
      })
      await gone(`${configMaps(namespace)}/after-${name}`)
    }
    const remove = (path: string, propagationPolicy: string): Promise<unknown> => client.call('DELETE', path, { body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy } })

    t.test('in the background', async () => {
      const { owner, dependent } = await owned('background')
      await remove(owner, 'Background')
      await gone(owner)
      await gone(dependent)
    })

    t.test('in the foreground: the Database waits for the ConfigMap', async t => {
      const { owner, dependent } = await owned('foreground', ['annex.example.com/hold'])
      await remove(owner, 'Foreground')
      await until('the ConfigMap to be deleted by the collector', async () => (await found(dependent))?.metadata.deletionTimestamp !== undefined)
      t.match(await found(owner), { metadata: { deletionTimestamp: String, finalizers: ['foregroundDeletion'] } }, 'the Database is still there')
      await client.call('PATCH', dependent, { body: { metadata: { finalizers: null } }, headers: { 'content-type': 'application/merge-patch+json' } })
      await gone(dependent)
      await gone(owner)
    })

    t.test('as an orphan: the ConfigMap stays without its owner', async t => {
      const { owner, dependent } = await owned('orphan')
      await remove(owner, 'Orphan')
      await gone(owner)
      t.match(await found(dependent), { metadata: { ownerReferences: undefined } })
    })

    t.test('and what never had a living owner', async () => {
      await client.create(pathOf(webapp, namespace), objectOf(webapp, 'orphan', { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '00000000-0000-4000-8000-000000000000' }] }))
      await gone(pathOf(webapp, namespace, 'orphan'))
    })
  })

  t.test('a namespace that holds all four kinds terminates', async t => {
    const namespace = await namespaced('full')
    for (const kind of sampleKinds) for (const name of ['a', 'b', 'c']) await client.create(pathOf(kind, namespace), objectOf(kind, name))
    await client.call('DELETE', `/api/v1/namespaces/${namespace}`)
    await gone(`/api/v1/namespaces/${namespace}`)
    for (const kind of sampleKinds) t.match(await client.get(pathOf(kind, namespace)), { items: [] }, kind.kind)
  })

  t.test('nothing new begins in a namespace that terminates or is not there', async t => {
    const namespace = await namespaced('ending')
    await client.create(pathOf(webapp, namespace), objectOf(webapp, 'holds', { finalizers: ['annex.example.com/hold'] }))
    await client.call('DELETE', `/api/v1/namespaces/${namespace}`)
    await until('the object in the namespace to be deleted', async () => (await found(pathOf(webapp, namespace, 'holds')))?.metadata.deletionTimestamp !== undefined)
    // Annex learns of it by a watch of its own.
    const refused = await until('Annex to know it', async () => {
      const answer = await client.request('POST', `${pathOf(webapp, namespace)}?dryRun=All`, { body: objectOf(webapp, 'late') })
      return answer.status !== 201 && answer
    })
    t.equal((await client.request('POST', pathOf(webapp, namespace), { body: objectOf(webapp, 'late') })).status, 403)
    t.match({ status: refused.status, body: refused.json() }, {
      status: 403,
      body: {
        reason: 'Forbidden', message: 'webapps.example.com "late" is forbidden: unable to create new content in namespace ending because it is being terminated',
        details: { name: 'late', group: 'example.com', kind: 'webapps', causes: [{ reason: 'NamespaceTerminating', message: 'namespace ending is being terminated', field: 'metadata.namespace' }] }
      }
    })
    await client.call('PATCH', pathOf(webapp, namespace, 'holds'), { body: { metadata: { finalizers: null } }, headers: { 'content-type': 'application/merge-patch+json' } })
    await gone(`/api/v1/namespaces/${namespace}`)
    const missing = await client.request('POST', pathOf(webapp, 'nowhere'), { body: objectOf(webapp, 'lost') })
    t.match({ status: missing.status, body: missing.json() }, { status: 404, body: { reason: 'NotFound', message: 'namespaces "nowhere" not found', details: { name: 'nowhere', kind: 'namespaces' } } })
  })

  t.test('without its store Annex harms nobody, and heals by itself', async t => {
    const namespace = await namespaced('outage')
    await client.create(pathOf(webapp, namespace), objectOf(webapp, 'survivor'))
    const elsewhere = await namespaced('elsewhere')
    await client.create(configMaps(elsewhere), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } })
    await etcd.kill()

    // Writes that the breaking connection carried have an unknown outcome; from now on nothing reaches the store.
    await until('the loss to be noticed', async () => (await client.request('GET', pathOf(webapp, namespace, 'survivor'))).status === 503)
    await objectsUnavailable(t)
    for (const { group, version } of groupVersions) t.equal((await client.request('GET', `/apis/${group}/${version}`)).status, 200, `discovery of ${group}/${version}`)
    for (const path of ['/openapi/v2', '/openapi/v3', '/openapi/v3/apis/example.com/v1']) t.equal((await client.request('GET', path)).status, 200, path)
    t.match((await controlPlane.kubectl(['api-resources', '--api-group=example.com'])), { code: 0, stderr: '', stdout: /webapps/ })

    await client.call('DELETE', `/api/v1/namespaces/${elsewhere}`)
    await client.call('DELETE', `/api/v1/namespaces/${namespace}`)
    // The namespace controller asks each of our kinds to delete and list what the namespace holds.
    await gone(`/api/v1/namespaces/${elsewhere}`)
    t.match(await found(`/api/v1/namespaces/${namespace}`), { status: { phase: 'Terminating' } }, 'one that holds an object of ours waits for it')
    // A check that a busy machine did not answer in time is made again.
    for (const { group, version } of groupVersions) await until(`${version}.${group} to be Available`, async () => (await apiServiceConditions(controlPlane)).get(`${version}.${group}`)?.status === 'True')

    await etcd.restart()
    await until('the objects to come back', async () => (await client.request('GET', pathOf(webapp, 'default'))).status === 200)
    await until('writes to be taken', async () => (await client.request('POST', pathOf(webapp, 'default'), { body: objectOf(webapp, 'afterwards') })).status === 201)
    await gone(`/api/v1/namespaces/${namespace}`)
    t.match(await client.get(pathOf(webapp, namespace)), { items: [] }, 'what it held was deleted first')

    /** Objects are neither there nor missing: only 503 tells the truth. */
    async function objectsUnavailable (t: Test): Promise<void> {
      const requests: [string, string, unknown?][] = [
        ['POST', pathOf(webapp, namespace), objectOf(webapp, 'new')], ['DELETE', pathOf(webapp, namespace, 'survivor')], ['GET', pathOf(webapp, namespace, 'survivor')],
        ['GET', pathOf(webapp, namespace)], ['GET', pathOf(webapp, namespace, 'missing')]
      ]
      for (const [method, path, body] of requests) {
        const answer = await client.request(method, path, { body, timeoutMs: 60_000 })
        t.match({ status: answer.status, retryAfter: answer.headers['retry-after'], body: answer.json() }, { status: 503, retryAfter: /^\d+$/, body: { kind: 'Status', reason: 'ServiceUnavailable' } }, `${method} ${path}`)
      }
    }
  })
})
