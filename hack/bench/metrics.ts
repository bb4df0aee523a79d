/**
 * What autoscalers feel: readers that ask as HorizontalPodAutoscalers do, every 15 seconds each, while samples are written.
 *
 *   npx tsx hack/bench/metrics.ts [--write=remote-write|objects] [--minutes=10] [--metrics=10000] [--readers=1000] [--samples=5000]
 *
 * Nine of ten metrics are about pods, ten pods to an autoscaler, the rest are external. `remote-write` sends all series of a namespace in one
 * request of Prometheus' protocol 1.0, and MetricMappings make metrics of them; `objects` patches one CustomMetric for each sample, by 16
 * writers who share the rate, and each is on the disk when it is acknowledged: the table says what the store took. The server is a process
 * of its own, and so is the writer. Latency is from the request's first byte to the answer's last one.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { remoteWriteHeaders, snappy, writeRequestBytes } from '../../test/fixtures/remote-write.js'
import { startServer } from '../../test/fixtures/server.js'
import { cpuMs, residentMb } from './side-by-side/process-usage.js'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, metrics: { type: 'string' }, readers: { type: 'string' }, samples: { type: 'string' }, write: { type: 'string' } } })
const number = (text: string | undefined, otherwise: number): number => text === undefined ? otherwise : Number(text)
const settings = {
  minutes: number(values.minutes, 10), metrics: number(values.metrics, 10_000), readers: number(values.readers, 1000),
  samples: number(values.samples, 5000), remoteWrite: values.write !== 'objects'
}
const writers = 16
const periodMs = 15_000
const podsPerReader = 10
const namespaces = 20
const pods = Math.floor(settings.metrics * 0.9)

interface Server { readonly url: string; readonly certificates: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } }
type Send = (method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>) => Promise<{ status: number; text: string }>

function senderTo ({ url, certificates }: Server, connections: number): Send {
  const agent = new Agent({ ...certificates, keepAlive: true, maxSockets: connections })
  return async (method, path, body, headers) => await new Promise((resolve, reject) => {
    const payload = body === undefined || body instanceof Buffer ? body : JSON.stringify(body)
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const sent = request(url + path, { method, agent, headers: payload === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(payload), ...headers } }, answer => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => { text += chunk })
      answer.on('end', () => { resolve({ status: answer.statusCode ?? 0, text }) })
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(payload)
  })
}

/** Metric i is about a pod of autoscaler i/10, or an external one. */
const namespaceOf = (i: number): string => `ns-${(i < pods ? Math.floor(i / podsPerReader) : i) % namespaces}`
const nameOf = (i: number): string => i < pods ? `requests_per_second_${Math.floor(i / podsPerReader)}` : `queue_length_${i}`
const group = '/apis/metrics.example.com/v1alpha1'
const pathOf = (i: number): string => `${group}/namespaces/${namespaceOf(i)}/custommetrics`
const metricOf = (i: number): object => ({
  apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name: `metric-${i}` }, value: i, ttlSeconds: 3600,
  metric: { name: nameOf(i) },
  ...(i < pods && { describedObject: { apiVersion: 'v1', kind: 'Pod', name: `web-${i}` } })
})
function readOf (reader: number): string {
  const autoscalers = Math.floor(pods / podsPerReader)
  const external = settings.metrics - pods
  // As many readers of pods as there are sets of pods; what remains reads external metrics.
  if (reader % 10 !== 9) {
    const set = reader % autoscalers
    return `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespaceOf(set * podsPerReader)}/pods/%2A/requests_per_second_${set}?labelSelector=app%3Dweb`
  }
  const i = pods + reader % external
  return `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespaceOf(i)}/queue_length_${i}`
}

const mapping = (name: string, series: string, more: object = {}): object => ({
  apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name },
  spec: { series: { matchers: [{ label: '__name__', operator: '=~', value: series }] }, metric: { name: '${__name__}' }, ttlSeconds: 300, ...more }
})

/** What there must be before anything is measured. */
async function fill (send: Send): Promise<void> {
  const created: [string, object][] = settings.remoteWrite
    ? Array.from({ length: namespaces }, (_, n) => `${group}/namespaces/ns-${n}/metricmappings`).flatMap((path): [string, object][] => [
        [path, mapping('pods', 'requests_per_second_.*', { describedObject: { apiVersion: 'v1', kind: 'Pod', nameLabel: 'pod' } })],
        [path, mapping('queues', 'queue_length_.*')]
      ])
    : Array.from({ length: settings.metrics }, (_, i) => [pathOf(i), metricOf(i)])
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (let next = created.pop(); next !== undefined; next = created.pop()) {
      const { status, text } = await send('POST', ...next)
      if (status !== 201) throw new Error(text)
    }
  }))
}

/** The writer's process: writes at the rate that is asked for, or as fast as answers come, and tells how much it wrote. */
async function write (server: Server): Promise<void> {
  const send = senderTo(server, writers)
  const began = performance.now()
  let sent = 0
  let written = 0
  setInterval(() => {
    process.send?.(written)
    written = 0
  }, 1000)
  const pace = async (): Promise<void> => {
    const ahead = sent - settings.samples * (performance.now() - began) / 1000
    if (ahead > 0) await new Promise(resolve => { setTimeout(resolve, 1000 * ahead / settings.samples) })
  }
  const patching = async (): Promise<void> => {
    for (;;) {
      await pace()
      const i = (sent++ * 7919) % settings.metrics
      const { status, text } = await send('PATCH', `${pathOf(i)}/metric-${i}`, { value: sent % 1_000_000, timestamp: new Date().toISOString() })
      if (status !== 200) throw new Error(`${status} ${text}`)
      written++
    }
  }
  const series = Array.from({ length: namespaces }, (_, n) => Array.from({ length: settings.metrics }, (_, i) => i).filter(i => namespaceOf(i) === `ns-${n}`))
  const sending = async (): Promise<void> => {
    for (let turn = 0; ; turn++) {
      await pace()
      const n = turn % namespaces
      const now = Date.now()
      const body = snappy(writeRequestBytes(series[n]!.map(i => ({ labels: { __name__: nameOf(i), job: 'bench', instance: `10.0.0.${i % 250}:9090`, pod: `web-${i}` }, samples: [[now, (i + turn) % 1000]] }))))
      const { status, text } = await send('POST', `${group}/namespaces/ns-${n}/remotewrites`, body, remoteWriteHeaders.v1)
      if (status > 204) throw new Error(`${status} ${text}`)
      sent += series[n]!.length
      written += series[n]!.length
    }
  }
  await Promise.all(settings.remoteWrite ? [sending()] : Array.from({ length: writers }, patching))
}

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
const row = (...cells: (string | number)[]): void => { process.stdout.write(`| ${cells.map(c => (typeof c === 'number' ? c.toFixed(c < 100 ? 2 : 0) : c).padStart(10)).join(' | ')} |\n`) }

async function main (): Promise<void> {
  const teardowns: (() => unknown)[] = []
  const annex = await startServer({ teardown: (f: () => unknown) => { teardowns.push(f) } } as Parameters<typeof startServer>[0])
  const server: Server = { url: annex.url, certificates: { ca: readFileSync(annex.caFile), cert: readFileSync(annex.adminCert), key: readFileSync(annex.adminKey) } }
  await fill(senderTo(server, 32))
  process.stdout.write(`${settings.metrics} metrics, ${settings.readers} readers every ${periodMs / 1000} s, ${settings.samples} samples/s wanted by ${settings.remoteWrite ? 'remote write' : 'patches of CustomMetrics'}\n`)

  const { certificates } = server
  const writer = fork(fileURLToPath(import.meta.url), process.argv.slice(2), { env: { ...process.env, BENCH_WRITE: JSON.stringify({ url: server.url, files: [annex.caFile, annex.adminCert, annex.adminKey] }) }, execArgv: process.execArgv })
  let written = 0
  writer.on('message', count => { written += count as number })
  const writerEnded = new Promise<never>((_resolve, reject) => { writer.once('exit', code => { reject(new Error(`the writer ended with ${code}`)) }) })
  writerEnded.catch(() => {})
  teardowns.push(() => { writer.kill() })

  // Until every metric has a sample.
  while (written < settings.metrics) await Promise.race([new Promise(resolve => { setTimeout(resolve, 100) }), writerEnded])
  const read = senderTo({ url: server.url, certificates }, 8)
  const all: number[] = []
  let minute: number[] = []
  let items = 0
  const reader = async (i: number, until: number): Promise<void> => {
    await new Promise(resolve => { setTimeout(resolve, periodMs * i / settings.readers) })
    for (let at = performance.now(); at < until; at += periodMs) {
      await new Promise(resolve => { setTimeout(resolve, Math.max(0, at - performance.now())) })
      const began = performance.now()
      const { status, text } = await read('GET', readOf(i))
      minute.push(performance.now() - began)
      if (status !== 200) throw new Error(`${status} ${text}`)
      items += (JSON.parse(text) as { items: unknown[] }).items.length
    }
  }
  const pid = annex.process!.pid!
  row('minute', 'reads', 'p50 ms', 'p99 ms', 'max ms', 'items/read', 'samples/s', 'CPU %', 'RSS MB')
  const report = (name: string, latencies: number[], samples: number, cpu: number): void => {
    const sorted = latencies.toSorted((a, b) => a - b)
    row(name, String(sorted.length), quantile(sorted, 0.5), quantile(sorted, 0.99), sorted.at(-1) ?? Number.NaN, items / Math.max(1, latencies.length), samples, cpu, residentMb(pid))
  }
  const begin = performance.now()
  const readers = Promise.all(Array.from({ length: settings.readers }, async (_, i) => { await reader(i, begin + settings.minutes * 60_000) }))
  readers.catch(() => {})
  for (let m = 1; m <= settings.minutes; m++) {
    const before = { written, cpu: cpuMs(pid), at: performance.now() }
    items = 0
    await Promise.race([new Promise(resolve => { setTimeout(resolve, begin + m * 60_000 - performance.now()) }), writerEnded, readers.then(() => new Promise(() => {}))])
    const seconds = (performance.now() - before.at) / 1000
    report(String(m), minute, (written - before.written) / seconds, (cpuMs(pid) - before.cpu) / seconds / 10)
    all.push(...minute)
    minute = []
  }
  const sorted = all.toSorted((a, b) => a - b)
  process.stdout.write(`all: ${all.length} reads, p50 ${quantile(sorted, 0.5).toFixed(2)} ms, p99 ${quantile(sorted, 0.99).toFixed(2)} ms, p99.9 ${quantile(sorted, 0.999).toFixed(2)} ms, max ${sorted.at(-1)?.toFixed(2)} ms\n`)
  writer.removeAllListeners('exit')
  for (const teardown of teardowns.reverse()) await teardown()
  process.exit(0)
}

const writing = process.env['BENCH_WRITE']
if (writing === undefined) {
  await main()
} else {
  const { url, files } = JSON.parse(writing) as { url: string; files: [string, string, string] }
  process.once('disconnect', () => { process.exit() })
  await write({ url, certificates: { ca: readFileSync(files[0]), cert: readFileSync(files[1]), key: readFileSync(files[2]) } })
}
