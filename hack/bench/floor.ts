// npx tsx hack/bench/floor.ts [ROUNDS]: what Node's HTTP/2 over TLS alone costs. A server that knows nothing answers the bodies and events of
// side-by-side/ from memory; the same clients load it. What our server costs above this is ours.
import { fork } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ControlPlanePki } from '../../test/fixtures/control-plane-pki.js'
import { Load } from './side-by-side/load.js'
import { cpuMs } from './side-by-side/process-usage.js'
import { flunder, storedName, storedObjects } from './side-by-side/scene.js'

/** Operations of a round, after as many that warm up. */
const cases: Readonly<Record<string, number>> = { 'list 500': 800, 'list all': 200, 'watch, 300 watchers': 300 * 200, 'watch, 3,000 watchers': 3000 * 20 }

const [first, certificate, key] = process.argv.slice(2)
if (first === 'serve') serve(certificate!, key!)
else await measure(Number(first ?? 3))

function serve (certificateFile: string, keyFile: string): void {
  // As much as the servers add to an object: uid, times, managedFields.
  const items = Array.from({ length: storedObjects }, (_, i) => ({ ...flunder('default', storedName(i), i), status: 'x'.repeat(420) }))
  const list = (objects: readonly object[]): Buffer => Buffer.from(JSON.stringify({ metadata: { resourceVersion: '1' }, items: objects }))
  const lists = { all: list(items), page: list(items.slice(0, 500)), one: list(items.slice(0, 1)) }
  const event = Buffer.from(`{"type":"MODIFIED","object":${JSON.stringify(items[0])}}\n`)
  const watchers = new Set<Http2ServerResponse>()
  const server = createSecureServer({ cert: readFileSync(certificateFile), key: readFileSync(keyFile), maxSessionMemory: 512, settings: { maxConcurrentStreams: 1000 } })
  server.on('request', (req: Http2ServerRequest, res: Http2ServerResponse) => {
    req.resume()
    if (req.url.includes('watch=true')) {
      watchers.add(res)
      res.on('close', () => { watchers.delete(res) })
      res.writeHead(200, { 'content-type': 'application/json' })
      return
    }
    if (req.method === 'PATCH') for (const watcher of watchers) watcher.stream.write(event)
    const body = req.method !== 'GET' ? lists.one : req.url.includes('limit=500') ? lists.page : req.url.includes('limit=1') ? lists.one : lists.all
    res.writeHead(req.method === 'POST' ? 201 : 200, { 'content-type': 'application/json', 'content-length': body.length })
    res.end(body)
  })
  process.once('disconnect', () => { process.exit() })
  server.listen(0, '127.0.0.1', () => { process.send!((server.address() as AddressInfo).port) })
}

async function measure (rounds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'annex-floor-'))
  try {
    const pki = new ControlPlanePki(directory)
    const server = fork(fileURLToPath(import.meta.url), ['serve', pki.serving.certificateFile, pki.serving.keyFile], { execArgv: ['--import', 'tsx'] })
    const port = await new Promise<number>(resolve => { server.once('message', message => { resolve(message as number) }) })
    const load = await Load.start({ url: `https://127.0.0.1:${port}`, ...pki.user('admin') })
    for (const [name, operations] of Object.entries(cases)) {
      const costs: number[] = []
      for (let round = -1; round < rounds; round++) {
        await load.command({ do: 'prepare', name, run: round, operations, stored: storedObjects })
        const before = cpuMs(server.pid!)
        await load.command({ do: 'run' })
        if (round >= 0) costs.push((cpuMs(server.pid!) - before) * 1000 / operations)
        await load.command({ do: 'finish' })
      }
      costs.sort((a, b) => a - b)
      console.log(`${name.padEnd(24)} ${costs[costs.length >> 1]!.toFixed(1)} µs/op`)
    }
    load.stop()
    server.kill()
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
