import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { until } from '../test/fixtures/control-plane-conditions.js'
import { startServer } from '../test/fixtures/server.js'

const here = fileURLToPath(new URL('.', import.meta.url))

t.test('the controller of the README has at most 40 lines and works', async t => {
  const source = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(here, 'README.md'), 'utf8'))![1]!
  t.ok(source.trim().split('\n').length <= 40, `it has ${source.trim().split('\n').length} lines`)
  const server = await startServer(t, [], { inProcess: true })
  const file = join(t.testdir({}), 'controller.ts')
  writeFileSync(file, source.replace('annex/controllers', join(here, 'index.ts')))
  const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: here, env: { PATH: process.env['PATH'], KUBECONFIG: server.kubeconfig }, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString() })
  const exited = once(child, 'exit')
  t.teardown(() => { child.kill('SIGKILL') })

  const path = '/apis/example.com/v1/namespaces/default/webapps'
  const { status } = await server.request('POST', path, { body: { apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: 'one' }, spec: { replicas: 1, image: 'nginx', port: 80 } } })
  t.equal(status, 201)
  const webapp = await until('a status', async () => {
    if (child.exitCode !== null) throw new Error(stderr)
    const { json } = await server.request('GET', `${path}/one`)
    return json['status'] === undefined ? undefined : json
  })
  t.match(webapp['status'], { observedGeneration: 1, phase: 'Pending', selector: 'app=one' })
  child.kill('SIGTERM')
  t.same(await exited, [0, null], stderr)
})
