// npm run bench: our server and Kubernetes' sample-apiserver side by side. README.md tells what is measured and how to read it.
import { parseArgs } from 'node:util'
import t from 'tap'
import { startControlPlane } from '../../../test/fixtures/control-plane.js'
import { buildTools } from '../../tools/build.mjs'
import { checkedCases, confirmed, describeRegression, ratiosOf, readBaseline, updateBaseline } from './baseline.js'
import { growth } from './growth-cases.js'
import { Load } from './load.js'
import { loadCases } from './load-cases.js'
import { findingTable, header, judge, judgeFinding, linesOf, summary, table, type CaseResult, type Finding } from './report.js'
import { measure, type Compared } from './rounds.js'
import { storedObjects } from './scene.js'
import { startBenchEtcd, type ServerName } from './servers.js'
import { coldStart, coldStartName, make } from './start-cases.js'

const allServers: readonly ServerName[] = ['go', 'etcd', 'embedded']

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    servers: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    'update-baseline': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false }
  }
})
if (flags.help) {
  console.log(`npm run bench -- [flags]
  --only TEXT        only cases whose name contains it; may be repeated
  --servers LIST     of go,etcd,embedded
  --rounds N         per case and server (default 5, with --quick and --check 1; three are enough for the growing store)
  --quick            one round, no growing store, nothing above 300 watchers
  --json             the result as JSON instead of a table
  --check            a few cases; fail if a ratio is twice the one in hack/bench/baseline.json, and still is when measured again
  --update-baseline  write that file`)
  process.exit(0)
}

// The fixtures bring tap, which would end a run that takes longer than a test.
t.setTimeout(0)
// Each process that runs has a listener of its own.
process.setMaxListeners(50)
// Every process that was started ends with this one's `exit`, which a signal alone does not bring about.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { process.exit(1) })

const servers = flags.servers === undefined ? allServers : allServers.filter(name => flags.servers!.split(',').includes(name))
const rounds = Number(flags.rounds ?? (flags.quick || flags.check ? 1 : 5))
const large = /3,000|64 writers/
const wanted = (name: string): boolean => flags.only !== undefined ? flags.only.some(text => name.includes(text)) : flags.check ? checkedCases.includes(name) : !(flags.quick && large.test(name))
const print = (text: string): void => { if (!flags.json) console.log(text) }

await buildTools(['kube-apiserver', 'etcd', 'sample-apiserver'], text => { process.stderr.write(`${text}\n`) })
const results: CaseResult[] = []
const findings: Finding[] = []
const teardowns: (() => unknown)[] = []
try {
  await compare()
} finally {
  for (const teardown of teardowns.reverse()) await teardown()
}
const judged = [...results.flatMap(judge), ...findings.flatMap(judgeFinding)]
if (flags.json) console.log(JSON.stringify({ cases: results.map(r => ({ name: r.name, unit: r.unit, lines: linesOf(r), samples: r.samples })), findings, targets: judged }, null, 2))
else if (judged.length > 0) print(`\n${summary(judged)}`)
if (flags['update-baseline']) updateBaseline(ratiosOf(results))
// A failed request is no figure that one may miss a little.
if (judged.some(({ target, value }) => target.quantity === 'failures' && value > 0)) process.exitCode = 1
// The load clients' channels would keep this process.
process.exit()

async function compare (): Promise<void> {
  const controlPlane = await startControlPlane({ teardown: end => { teardowns.push(end) }, passing: () => true } as Parameters<typeof startControlPlane>[0])
  for (const name of ['default', 'bench-writes']) await controlPlane.admin.client.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  const etcd = await startBenchEtcd(controlPlane)
  const shared = { controlPlane, etcd: etcd.url, etcdPid: etcd.process.pid! }
  print(header())
  const report = (result: CaseResult): void => { results.push(result); print(table(result)) }
  const find = (finding: Finding): void => { findings.push(finding); print(findingTable(finding)) }

  if (wanted(coldStartName)) report(await coldStart(shared, servers, flags.quick ? 2 : 5))
  const cases = loadCases.filter(c => wanted(c.name))
  if (cases.length > 0) {
    const compared: Compared[] = []
    for (const name of servers) {
      const server = await make[name](shared)
      await server.start()
      const load = await Load.start({ url: server.url, ...server.admin })
      await load.command({ do: 'seed', from: 0, to: storedObjects })
      compared.push({ server, load, etcdPid: name === 'embedded' ? undefined : etcd.process.pid! })
    }
    for (const one of cases) report(await measure(one, compared, rounds, storedObjects))
    if (flags.check) {
      const worse = await confirmed(results, readBaseline(), async name => {
        print(`${name} looks worse than the baseline: measured again`)
        const again = await measure(cases.find(c => c.name === name)!, compared, 3, storedObjects)
        print(table(again))
        return again
      })
      for (const regression of worse) process.stderr.write(`worse than the baseline: ${describeRegression(regression)}\n`)
      if (worse.length > 0) process.exitCode = 1
    }
    for (const { load, server } of compared) {
      load.stop()
      await server.process.stop()
    }
  }
  if (!flags.quick && !flags.check) await growth(shared, { servers, rounds: flags.rounds === undefined ? 3 : rounds, wanted, report, find })
}
