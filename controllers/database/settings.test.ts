import t from 'tap'
import { settings } from './testing.js'

t.test('defaults', async t => {
  t.strictSame(settings(), { paused: false, deletionPolicy: 'Retain', adoptsRetained: false, cpu: '250m', memory: '1Gi', problem: undefined })
})

t.test('what annotations say', async t => {
  t.match(settings({ 'db.example.com/paused': 'true', 'db.example.com/deletion-policy': 'Delete', 'db.example.com/adopt-retained': 'true', 'db.example.com/cpu': '0.5', 'db.example.com/memory': '2048Mi' }),
    { paused: true, deletionPolicy: 'Delete', adoptsRetained: true, cpu: '500m', memory: '2Gi', problem: undefined })
  t.match(settings({ 'mycompany.io/paused': 'true' }), { paused: false }, 'another group\'s does not count')
})

t.test('what makes no sense is said, and the default counts', async t => {
  for (const [name, text] of [['deletion-policy', 'delete'], ['memory', '-1Gi'], ['cpu', 'much'], ['paused', 'yes']] as const) {
    const read = settings({ [`db.example.com/${name}`]: text })
    t.match(read.problem, { reason: 'InvalidAnnotation', message: new RegExp(`db.example.com/${name} is "${text}"`) }, name)
    t.match(read, { ...settings(), problem: Object }, `${name}: the default counts`)
  }
})
