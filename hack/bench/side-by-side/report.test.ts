import { readFileSync } from 'node:fs'
import t from 'tap'
import { findingTable, judge, linesOf, median, summary, table, type CaseResult, type Sample } from './report.js'
import { roundOperations } from './rounds.js'
import { growthNames, memoryNames, scaleName, watchListName } from './growth-cases.js'
import { loadCases } from './load-cases.js'
import { checkedCases, readBaseline } from './baseline.js'
import { coldStartName } from './start-cases.js'
import { targets } from './targets.js'

const sample = (cpuMs: number, more: Partial<Sample> = {}): Sample => ({ operations: 100, seconds: 0.1, p50: 1, p99: 2, cpuMs, etcdCpuMs: 0, residentMb: 100, ...more })

t.test('a median', async t => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.equal(median([]), 0)
})

t.test('a ratio is one of medians per operation, and the embedded store is held against Go and its etcd', async t => {
  const result: CaseResult = {
    name: 'get HTTP/2', unit: 'request',
    samples: {
      go: [sample(100, { etcdCpuMs: 50 }), sample(900, { etcdCpuMs: 50 }), sample(100, { etcdCpuMs: 50 })],
      // Twice the operations at twice the time cost the same.
      etcd: [sample(30), sample(60, { operations: 200 }), sample(500)],
      embedded: [sample(30), sample(30), sample(1)]
    }
  }
  const [go, etcd, embedded] = linesOf(result)
  t.equal(go!.cpuMs, 1)
  t.equal(etcd!.ratio, 0.3)
  t.equal(embedded!.ratio?.toFixed(3), '0.200')
  const text = table(result).split('\n')
  t.match(text[1], / 0\.30 +≤ 0\.33 met$/)
  t.match(text[2], / 0\.20 +≤ 0\.2 met$/)
  t.strictSame(judge({ ...result, name: 'no target' }), [])
  t.strictSame(linesOf({ ...result, samples: { etcd: [sample(1)] } }).map(l => l.ratio), [undefined], 'no ratio without Go')
})

t.test('a line with two targets has a line for each, and a missed one says where it is explained', async t => {
  const result: CaseResult = { name: 'create, 64 writers', unit: 'request', samples: { go: [sample(100)], embedded: [sample(40, { seconds: 0.1 })] } }
  const text = table(result).split('\n')
  t.equal(text.length, 3)
  t.match(text[1], /≤ 0\.5 met$/)
  t.match(text[2], /≥ 5000\/s missed \(1000\): README "5,000 creates a second"$/)
  t.match(summary(judge(result)), /^1 of 2 targets met\n {2}create, 64 writers, annex, embedded: operations a second 1000, target ≥ 5000\/s$/)
})

t.test('memory, the start and findings are held against targets of their own', async t => {
  const memory = judge({ name: 'memory, 20,000 objects', unit: '', samples: { go: [sample(1, { residentMb: 400 })], etcd: [sample(1, { residentMb: 200 })], embedded: [sample(1, { residentMb: 201 })] } })
  t.strictSame(memory.map(j => j.value), [0.5, 201 / 400])
  t.match(summary(memory), /^1 of 2 targets met\n {2}memory, 20,000 objects, annex, embedded/)
  t.match(table({ name: 'cold start to ready', unit: '', samples: { embedded: [sample(1, { p50: 650 })] } }), /≤ 0\.5 s missed \(0\.65\)/)
  t.match(table({ name: 'update', unit: '', samples: { go: [sample(1000)], etcd: [sample(801)] } }), / 0\.80 +≤ 0\.8 missed \(0\.801\)/)
  t.match(findingTable({ name: scaleName, server: 'etcd', value: 0, text: 'x' }), /≤ 0 met\n {4}x$/)
  t.match(findingTable({ name: scaleName, server: 'etcd', value: 3, text: 'x' }), /missed \(3\)\n/)
})

t.test('every target belongs to a case, and what explains a missed one is in README.md', async t => {
  const names = new Set([coldStartName, scaleName, watchListName, ...memoryNames, ...growthNames, ...loadCases.map(c => c.name)])
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const { case: name, explained } of targets) {
    t.ok(names.has(name), name)
    if (explained !== undefined) t.match(readme, new RegExp(`^- \\*\\*${explained.replace('.', '\\.')}`, 'm'), `README: ${explained}`)
  }
  const baseline = readBaseline()
  for (const name of checkedCases) {
    t.ok(loadCases.some(c => c.name === name), name)
    t.hasProps(baseline[name] ?? {}, ['etcd', 'embedded'], `a baseline of ${name}`)
  }
})

t.test('a round is long enough to be measured, and no longer than a case allows', async t => {
  t.equal(roundOperations({ operations: 100 }, 1), 500)
  t.equal(roundOperations({ operations: 100 }, 20), 100, 'never shorter than the case says')
  t.equal(roundOperations({ operations: 100, most: 300 }, 1), 300)
  t.equal(roundOperations({ operations: 100 }, 0), 1000, 'what was too short to be counted')
})
