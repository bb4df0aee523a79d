/**
 * What autoscalers feel: readers that ask as HorizontalPodAutoscalers do, every 15 seconds each, while samples are written.
 *
 *   npx tsx hack/bench/metrics.ts [--minutes=10] [--metrics=10000] [--readers=1000] [--samples=5000] [--writers=16]
 *
 * A metric is a CustomMetric; nine of ten are about a pod, ten pods to an autoscaler, the rest are external. A sample is a merge patch of
 * one of them, each on the disk when it is acknowledged; so many writers share the rate, and the table says what the store took. The
 * server is a process of its own, and so are the writers. Latency is from the request's first byte to the answer's last one.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startServer } from '../../test/fixtures/server.js'
import { cpuMs, residentMb } from './side-by-side/process-usage.js'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, metrics: { type: 'string' }, readers: { type: 'string' }, samples: { type: 'string' }, writers: { type: 'string' } } })
const number = (text: string | undefined, otherwise: number): number => text === undefined ? otherwise : Number(text)
const settings = {
  minutes: number(values.minutes, 10), metrics: number(values.metrics, 10_000), readers: number(values.readers, 1000),
  samples: number(values.samples, 5000), writers: number(values.writers, 16)
}
const periodMs = 15_000
const podsPerReader = 10
const namespaces = 20
const pods = Math.floor(settings.metrics * 0.9)

interface Server { readonly url: string; readonly certificates: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer } }
type Send = (method: string, path: string, body?: object) => Promise<{ status: number; text: string }>

function senderTo ({ url, certificates }: Server, connections: number): Send {
  const agent = new Agent({ ...certificates, keepAlive: true, maxSockets: connections })
  return async (method, path, body) => await new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const sent = request(url + path, { method, agent, headers: payload === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) } }, answer => {
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
const pathOf = (i: number): string => `/apis/metrics.example.com/v1alpha1/namespaces/${namespaceOf(i)}/custommetrics`
const metricOf = (i: number): object => ({
  apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name: `metric-${i}` }, value: i, ttlSeconds: 3600,
  metric: { name: i < pods ? `requests_per_second_${Math.floor(i / podsPerReader)}` : `queue_length_${i}` },
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

/** The writers' process: writes at the rate that is asked for, or as fast as answers come, and tells how much it wrote. */
async function write (server: Server): Promise<void> {
  const send = senderTo(server, settings.writers)
  const began = performance.now()
  let sent = 0
  let written = 0
  setInterval(() => {
    process.send?.(written)
    written = 0
  }, 1000)
  const writer = async (): Promise<void> => {
    for (;;) {
      const ahead = sent - settings.samples * (performance.now() - began) / 1000
      if (ahead > 0) await new Promise(resolve => { setTimeout(resolve, 1000 * ahead / settings.samples) })
      const i = (sent++ * 7919) % settings.metrics
      const { status, text } = await send('PATCH', `${pathOf(i)}/metric-${i}`, { value: sent % 1_000_000, timestamp: new Date().toISOString() })
      if (status !== 200) throw new Error(`${status} ${text}`)
      written++
    }
  }
  await Promise.all(Array.from({ length: settings.writers }, writer))
}

const quantile = (sorted: readonly number[], q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
const row = (...cells: (string | number)[]): void => { process.stdout.write(`| ${cells.map(c => (typeof c === 'number' ? c.toFixed(c < 100 ? 2 : 0) : c).padStart(10)).join(' | ')} |\n`) }

async function main (): Promise<void> {
  const teardowns: (() => unknown)[] = []
  const annex = await startServer({ teardown: (f: () => unknown) => { teardowns.push(f) } } as Parameters<typeof startServer>[0])
  const server: Server = { url: annex.url, certificates: { ca: readFileSync(annex.caFile), cert: readFileSync(annex.adminCert), key: readFileSync(annex.adminKey) } }
  const send = senderTo(server, 32)
  const filled = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (let i = next++; i < settings.metrics; i = next++) {
      const { status, text } = await send('POST', pathOf(i), metricOf(i))
      if (status !== 201) throw new Error(text)
    }
  }))
  process.stdout.write(`${settings.metrics} metrics created in ${((performance.now() - filled) / 1000).toFixed(1)} s; ${settings.readers} readers every ${periodMs / 1000} s; ${settings.samples} samples/s wanted of ${settings.writers} writers of CustomMetrics\n`)

  const { certificates } = server
  const writers = fork(fileURLToPath(import.meta.url), process.argv.slice(2), { env: { ...process.env, BENCH_WRITE: JSON.stringify({ url: server.url, files: [annex.caFile, annex.adminCert, annex.adminKey] }) }, execArgv: process.execArgv })
  let written = 0
  writers.on('message', count => { written += count as number })
  const writersEnded = new Promise<never>((_resolve, reject) => { writers.once('exit', code => { reject(new Error(`the writers ended with ${code}`)) }) })
  writersEnded.catch(() => {})
  teardowns.push(() => { writers.kill() })

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
    await Promise.race([new Promise(resolve => { setTimeout(resolve, begin + m * 60_000 - performance.now()) }), writersEnded, readers.then(() => new Promise(() => {}))])
    const seconds = (performance.now() - before.at) / 1000
    report(String(m), minute, (written - before.written) / seconds, (cpuMs(pid) - before.cpu) / seconds / 10)
    all.push(...minute)
    minute = []
  }
  const sorted = all.toSorted((a, b) => a - b)
  process.stdout.write(`all: ${all.length} reads, p50 ${quantile(sorted, 0.5).toFixed(2)} ms, p99 ${quantile(sorted, 0.99).toFixed(2)} ms, p99.9 ${quantile(sorted, 0.999).toFixed(2)} ms, max ${sorted.at(-1)?.toFixed(2)} ms\n`)
  writers.removeAllListeners('exit')
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
