import t from 'tap'
import { baseName, databaseOf, namesOf, selectorText } from './names.js'
import { databaseObject } from './testing.js'

t.test('a name that Services can have is kept; others get a hash', async t => {
  for (const name of ['orders', 'a', 'a-1', 'x'.repeat(40)]) t.equal(baseName(name), name)
  for (const name of ['1st', 'a.b', 'x'.repeat(41), 'x'.repeat(253), 'a-', `${'a'.repeat(30)}.${'b'.repeat(30)}`]) {
    t.match(baseName(name), /^[a-z][-a-z0-9]*-[0-9a-f]{8}$/, name)
    t.ok(baseName(name).length <= 40, `${name} is short enough`)
  }
  t.not(baseName('a.b'), baseName('a-b.'), 'what looks alike is told apart')
})

t.test('two groups tell their children apart', async t => {
  const [a, b] = ['db.example.com', 'mycompany.io'].map(group => namesOf(group, databaseObject()))
  t.not(selectorText(a!.selector), selectorText(b!.selector))
  t.equal(selectorText(a!.selector), 'app.kubernetes.io/component=database,db.example.com/database=orders')
  t.strictSame(databaseOf('db.example.com', { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', annotations: { ...a!.annotations } } }), [{ namespace: 'shop', name: 'orders' }])
  t.strictSame(databaseOf('mycompany.io', { apiVersion: 'v1', kind: 'Pod', metadata: { annotations: { ...a!.annotations } } }), [])
})
