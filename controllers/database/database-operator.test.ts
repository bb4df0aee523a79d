import t from 'tap'
import { RestClient } from '../client/rest-client.js'
import type { Informer } from '../informer/informer.js'
import { sourcesOf } from './database-operator.js'
import { dbExampleDatabase } from './db-example-database.js'
import { databaseKinds, sharedKinds, type DatabaseKinds } from './kinds.js'
import type { DatabaseAdapter } from './model.js'
import { mycompanyDatabase } from './mycompany-database.js'

t.test('a controller waits for the caches of backups and metrics only if its Databases have any', async t => {
  const client = new RestClient({ connection: { server: 'http://127.0.0.1:1' } })
  t.teardown(() => { client.close() })
  const { signal } = new AbortController()
  const followed = async (adapter: DatabaseAdapter): Promise<string[]> => {
    const ran: string[] = []
    const kinds = Object.fromEntries(Object.entries(databaseKinds(adapter, sharedKinds({ client }), { client })).map(([name, kind]) => {
      const informer = { run: async () => { ran.push(name) } } as unknown as Informer<never>
      return [name, name === 'events' ? [informer] : name === 'storageClasses' ? informer : { ...kind, informer }]
    })) as unknown as DatabaseKinds
    await Promise.all(sourcesOf(adapter, kinds, 0).map(async s => { await s.run(signal) }))
    return ran.sort()
  }
  const always = ['claims', 'configMaps', 'databases', 'events', 'pods', 'services', 'statefulSets', 'storageClasses']
  t.strictSame(await followed(mycompanyDatabase as DatabaseAdapter), always)
  t.strictSame(await followed(dbExampleDatabase as DatabaseAdapter), [...always, 'cronJobs', 'customMetrics'].sort())
})
