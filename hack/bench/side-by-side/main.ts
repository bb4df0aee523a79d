// npm run bench: our server and Kubernetes' sample-apiserver side by side. README.md tells what is measured and how to read it.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import t from 'tap'
import { startControlPlane } from '../../../test/fixtures/control-plane.js'
import { buildTools } from '../../tools/build.mjs'
import { Load } from './load.js'
import { loadCases } from './load-cases.js'
import { cpuMs, residentMb } from './process-usage.js'
import { header, linesOf, ratiosOf, regressions, table, type CaseResult, type Ratios, type Sample } from './report.js'
import { storedObjects, type LoadCase } from './scene.js'
import { embeddedServer, etcdServer, goServer, startBenchEtcd, type BenchServer, type ServerName } from './servers.js'
import { coldStart, memory } from './start-cases.js'

const baselineFile = new URL('../baseline.json', import.meta.url)
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
  --rounds N         per case and server (default 3, with --quick 1)
  --quick            one round, no memory cases, nothing above 300 watchers
  --json             the result as JSON instead of a table
  --check            fail if a ratio is twice the one in hack/bench/baseline.json
  --update-baseline  write that file`)
  process.exit(0)
}

// The fixtures bring tap, which would end a run that takes longer than a test.
t.setTimeout(0)
// Every process that was started ends with this one's `exit`, which a signal alone does not bring about.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { process.exit(1) })

const servers = flags.servers === undefined ? allServers : allServers.filter(name => flags.servers!.split(',').includes(name))
const rounds = Number(flags.rounds ?? (flags.quick ? 1 : 3))
const wanted = (name: string): boolean => flags.only === undefined || flags.only.some(text => name.includes(text))
const large = /3,000|10,000|64 writers/
const print = (text: string): void => { if (!flags.json) console.log(text) }
let runNumber = 0

await buildTools(['kube-apiserver', 'etcd', 'sample-apiserver'], text => { process.stderr.write(`${text}\n`) })
const results: CaseResult[] = []
const teardowns: (() => unknown)[] = []
try {
  await compare()
} finally {
  for (const teardown of teardowns.reverse()) await teardown()
}
if (flags.json) console.log(JSON.stringify(results.map(r => ({ name: r.name, unit: r.unit, operations: r.operations, lines: linesOf(r) })), null, 2))
const ratios = ratiosOf(results)
if (flags['update-baseline']) writeFileSync(baselineFile, `${JSON.stringify({ ...readBaseline(), ...ratios }, null, 2)}\n`)
if (flags.check) {
  const worse = regressions(ratios, readBaseline())
  for (const text of worse) process.stderr.write(`worse than the baseline: ${text}\n`)
  process.exitCode = worse.length > 0 ? 1 : 0
}
// The load clients' channels would keep this process.
process.exit()

async function compare (): Promise<void> {
  const controlPlane = await startControlPlane({ teardown: end => { teardowns.push(end) }, passing: () => true } as Parameters<typeof startControlPlane>[0])
  for (const name of ['default', 'bench-writes']) await controlPlane.admin.client.apply(`/api/v1/namespaces/${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  const etcd = await startBenchEtcd(controlPlane)
  const shared = { controlPlane, etcd: etcd.url }
  print(header())
  const report = (result: CaseResult): void => { results.push(result); print(table(result)) }

  if (wanted('cold start to ready')) report(await coldStart(shared, servers, flags.quick ? 2 : 5))
  const cases = loadCases.filter(c => wanted(c.name) && !(flags.quick && large.test(c.name)))
  if (cases.length > 0) {
    const make = { go: goServer, etcd: etcdServer, embedded: embeddedServer }
    const compared: Compared[] = []
    for (const name of servers) {
      const server = await make[name](shared)
      await server.start()
      const load = await Load.start({ url: server.url, ...server.admin })
      await load.command({ do: 'seed', objects: storedObjects })
      compared.push({ server, load, etcdPid: name === 'embedded' ? undefined : etcd.process.pid! })
    }
    for (const one of cases) report(await measure(one, compared))
    for (const { load, server } of compared) {
      load.stop()
      await server.process.stop()
    }
  }
  for (const objects of [0, 10_000, 20_000, 100_000]) {
    const name = `memory, ${objects.toLocaleString('en')} objects`
    if (wanted(name) && !(flags.quick && flags.only === undefined)) report(await memory(shared, servers, objects))
  }
}

interface Compared { readonly server: BenchServer; readonly load: Load; readonly etcdPid: number | undefined }

/** The rounds of one case, each on every server in turn. */
async function measure (one: LoadCase, compared: readonly Compared[]): Promise<CaseResult> {
  const samples: Partial<Record<ServerName, Sample[]>> = {}
  // The first round warms up: neither just-in-time compilers nor caches are what is compared.
  for (let round = -1; round < rounds; round++) {
    for (const { server, load, etcdPid } of compared) {
      await load.command({ do: 'prepare', name: one.name, run: runNumber++ })
      await settle()
      const before = { server: cpuMs(server.process.pid!), etcd: etcdPid === undefined ? 0 : cpuMs(etcdPid) }
      const measured = (await load.command({ do: 'run' }))!
      // What the last operations left to do belongs to them.
      await settle()
      const sample = {
        ...measured,
        cpuMs: cpuMs(server.process.pid!) - before.server,
        etcdCpuMs: etcdPid === undefined ? 0 : cpuMs(etcdPid) - before.etcd,
        residentMb: residentMb(server.process.pid!)
      }
      if (round >= 0) (samples[server.name] ??= []).push(sample)
      await load.command({ do: 'finish' })
    }
  }
  return { name: one.name, unit: one.unit, operations: one.operations, samples }
}

function settle (): Promise<void> { return new Promise(resolve => { setTimeout(resolve, 200) }) }

function readBaseline (): Ratios {
  try {
    return JSON.parse(readFileSync(baselineFile, 'utf8')) as Ratios
  } catch {
    return {}
  }
}
