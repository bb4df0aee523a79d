import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { cheapest, confirmed, describeRegression, ratiosOf, readBaseline, regressions, updateBaseline } from './baseline.js'
import type { CaseResult } from './report.js'

const result = (name: string, etcd: number, embedded = 10): CaseResult => {
  const of = (cpuMs: number): CaseResult['samples']['go'] => [{ operations: 1, seconds: 1, p50: 1, p99: 1, cpuMs, etcdCpuMs: 0, residentMb: 1 }]
  return { name, unit: 'request', samples: { go: of(100)!, etcd: of(etcd)!, embedded: of(embedded)! } }
}
const baseline = { get: { etcd: 0.3, embedded: 0.1 }, list: { etcd: 0.2 }, tiny: { etcd: 0.001 } }

t.test('what doubles is a regression', async t => {
  t.strictSame(regressions(ratiosOf([result('get', 60), result('list', 40)]), baseline), [])
  const worse = regressions(ratiosOf([result('get', 61)]), baseline)
  t.strictSame(worse, [{ name: 'get', server: 'etcd', ratio: 0.61, before: 0.3 }])
  t.equal(describeRegression(worse[0]!), 'get (annex, etcd): ratio 0.61 against 0.3')
  t.strictSame(regressions(ratiosOf([result('new', 900)]), baseline), [], 'a case that the baseline does not know')
  t.strictSame(regressions(ratiosOf([result('tiny', 3.9)]), baseline), [], 'ratios that are noise')
})

t.test('a suspect is measured again, and only that counts', async t => {
  const asked: string[] = []
  const again = (etcd: number, embedded?: number) => async (name: string): Promise<CaseResult> => { asked.push(name); return result(name, etcd, embedded) }
  t.strictSame(await confirmed([result('get', 90, 90), result('list', 30)], baseline, again(40)), [], 'it was an accident')
  t.strictSame(asked, ['get'], 'once, and nothing else')
  t.match(await confirmed([result('get', 90)], baseline, again(70)), [{ name: 'get', server: 'etcd', ratio: 0.7 }])
  asked.length = 0
  t.strictSame(await confirmed([result('get', 30)], baseline, again(90)), [])
  t.strictSame(asked, [], 'what looks well is not measured again')
})

t.test('measured again, the cheapest round of each server counts', async t => {
  const [first, second] = [result('get', 90, 5), result('get', 50, 90)]
  const both: CaseResult = { ...first!, samples: { go: [...first!.samples.go!, ...second!.samples.go!], etcd: [...first!.samples.etcd!, ...second!.samples.etcd!], embedded: [...first!.samples.embedded!, ...second!.samples.embedded!] } }
  t.strictSame(ratiosOf([cheapest(both)]), { get: { etcd: 0.5, embedded: 0.05 } })
  t.strictSame(await confirmed([first!], baseline, async () => both), [])
})

t.test('a baseline keeps what was not measured; an unreadable one is no empty one', async t => {
  const file = pathToFileURL(join(t.testdir(), 'baseline.json'))
  t.strictSame(readBaseline(file), {})
  updateBaseline(ratiosOf([result('get', 30), result('list', 20)]), file)
  updateBaseline(ratiosOf([result('get', 25)]), file)
  t.strictSame(readBaseline(file), { get: { etcd: 0.25, embedded: 0.1 }, list: { etcd: 0.2, embedded: 0.1 } })
  writeFileSync(file, '{')
  t.throws(() => readBaseline(file), SyntaxError)
})
