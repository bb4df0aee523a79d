import t from 'tap'
import { EmbeddedStorage } from '../../../storage/embedded/storage.js'
import { webapps } from '../../example.com/webapps/resource.js'
import type { KubeObject } from '../../meta/object-meta.js'
import { Store } from './store.js'

const version = webapps.storageVersion
const options = { version, namespace: 'ns', warn: (): void => {} }

t.test('a dry run sees what is stored, however far the cache is behind', async t => {
  const storage = await EmbeddedStorage.open({ directory: t.testdir() })
  // The cache of `behind` is filled once and never hears of a change.
  const deaf = new Proxy(storage, {
    get: (target, name) => {
      if (name === 'watch') return () => target.watch('/nothing-is-here/', { afterRevision: 0n })
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) as unknown : member
    }
  })
  const ahead = new Store({ resource: webapps, storage, prefix: '/registry' })
  await ahead.cacher.whenReady()
  const app = { apiVersion: version.apiVersion, kind: 'WebApp', metadata: { name: 'app' }, spec: { image: 'nginx:1', replicas: 1, port: 80 } } as unknown as KubeObject
  await ahead.create(app, { ...options, dryRun: false })
  const behind = new Store({ resource: webapps, storage: deaf, prefix: '/registry' })
  await behind.cacher.whenReady()
  t.teardown(async () => {
    await Promise.all([ahead.stop(), behind.stop()])
    await storage.close()
  })

  const labelled = (label: string) => (old: KubeObject | undefined): KubeObject => {
    old!.metadata.labels = { ...old!.metadata.labels, [label]: 'x' }
    return old!
  }
  await ahead.update('app', { ...options, dryRun: false, subresource: '', transform: labelled('first') })
  t.equal(behind.cacher.get('/registry/example.com/webapps/ns/app')?.value.labels, undefined, 'the cache is behind')
  const { object } = await behind.update('app', { ...options, dryRun: true, subresource: '', transform: labelled('second') })
  t.strictSame(object.labels, { first: 'x', second: 'x' })
})
