import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { etcdVersionsOrSkip, startEtcd } from '../fixtures/etcd.js'
import { startServer, type TestServer } from '../fixtures/server.js'

/**
 * Our answers against recorded ones of kube-apiserver 1.36. README.md says what the scenarios, transcripts and random runs are, and how
 * to look into a difference.
 */
const here = fileURLToPath(new URL('.', import.meta.url))
const widgets = ['--crd-file', `${here}crds-extra`]

/** Runs one of the scripts; its output. */
async function run (script: string, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [`${here}${script}`, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString() })
  await new Promise(resolve => { child.once('close', resolve) })
  return output
}

const lastLine = (output: string): string => output.trimEnd().split('\n').at(-1) ?? ''

async function replayScenarios (t: Test, server: TestServer): Promise<void> {
  const output = await run('conformance.mjs', [
    'replay', '--server', server.url, '--cert', server.adminCert, '--key', server.adminKey,
    '--scenarios', `${here}scenarios`, '--transcripts', `${here}transcripts`
  ])
  t.equal(lastLine(output), '95 passed, 0 failed', output)
}

async function replayRandomRuns (t: Test, server: TestServer, kept: 'plain' | 'apply'): Promise<void> {
  const output = await run('differential.mjs', [
    '--replay', `${here}random/${kept}.json.gz`, '--right', server.url, '--right-cert', server.adminCert, '--right-key', server.adminKey
  ])
  t.equal(lastLine(output), '150 of 150 runs equal, 4500 requests compared, 0 kinds of difference', output.slice(0, 20_000))
}

/** Random runs take most of a minute, of which much is waiting: each has a server of its own, and they run side by side. */
t.jobs = 4
t.setTimeout(600_000)

t.test('on the embedded store', async t => {
  const server = await startServer(t, widgets)
  await t.test('every scenario is answered as kube-apiserver did', async t => { await replayScenarios(t, server) })
  await t.test('random requests are answered as kube-apiserver did', async t => { await replayRandomRuns(t, server, 'plain') })
})

t.test('on the embedded store, with applies', async t => {
  const server = await startServer(t, widgets)
  await t.test('random requests with applies among them are answered as kube-apiserver did', async t => { await replayRandomRuns(t, server, 'apply') })
})

for (const binary of etcdVersionsOrSkip('conformance on etcd')) {
  t.test(`on etcd ${binary.version}`, async t => {
    const etcd = await startEtcd(t, { version: binary })
    const server = await startServer(t, [...widgets, `--etcd-servers=${etcd.endpoint}`])
    await t.test('every scenario is answered as kube-apiserver did', async t => { await replayScenarios(t, server) })
    await t.test('random requests are answered as kube-apiserver did', async t => { await replayRandomRuns(t, server, 'plain') })
  })
}
