import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:https'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { Authority } from '../../certs/authority.js'
import { newServingCertificate, servingNames } from '../../certs/serving-certificate.js'
import { RestClient } from '../client/rest-client.js'
import { silentLogger } from '../logger.js'
import { FakeClock } from '../testing/fake-clock.js'
import { startFakeServer } from '../testing/fake-server.js'
import { managerFlags } from './manager-flags.js'
import { managerFlagTable, readManagerCommand, type ManagerConfig } from './manager-options.js'
import { runTogether } from './manager.js'
import { metricsAccess } from './metrics-access.js'
import { startServing } from './serving.js'

const known = ['webapp', 'database']
const configOf = async (...args: string[]): Promise<ManagerConfig> => {
  const command = await readManagerCommand(args, known)
  if (command.kind !== 'config') throw new Error(JSON.stringify(command))
  return command.config
}

t.test('the command line', async t => {
  t.same(await configOf(), {
    controllers: known, kubeconfig: undefined, qps: 20, burst: 30, minResyncMs: 43_200_000, concurrentSyncs: { ...(await configOf()).concurrentSyncs, webapp: 5, database: 5 }, databaseImageRegistry: 'docker.io/library',
    election: { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000, namespace: 'annex-system', name: 'annex-controller-manager' },
    serving: { bindAddress: '0.0.0.0', port: 10260, tls: undefined }, verbosity: 0
  })
  t.match(await configOf('--leader-elect=false', '--secure-port=0', '--kube-api-qps=0.5', '--kube-api-burst=3', '--concurrent-webapp-syncs=9', '-v4'), { election: undefined, serving: undefined, qps: 0.5, burst: 3, concurrentSyncs: { webapp: 9 }, verbosity: 4 })

  t.test('which controllers run', async t => {
    for (const [flag, expected] of [['*', known], ['*,-webapp', ['database']], ['webapp', ['webapp']], ['-webapp', []], ['-webapp,*', ['database']], ['-webapp,webapp', ['webapp']]] as const) t.same((await configOf(`--controllers=${flag}`)).controllers, expected, flag)
  })

  t.test('every error comes at once', async t => {
    t.same(await readManagerCommand(['--controllers=*,-typo', '--kube-api-qps=x', '--kube-api-burst=0', '--leader-elect-lease-duration=5s', '--leader-elect-retry-period=0', '--secure-port=70000', '--bind-address=here', '--tls-cert-file=/nowhere', '--concurrent-webapp-syncs=0', '--concurrent-database-syncs=0', '--database-image-registry=https://x/', '--nope'], known), {
      kind: 'errors',
      errors: [
        'invalid argument "x" for "--kube-api-qps" flag: strconv.ParseFloat: parsing "x": invalid syntax',
        'unknown flag: --nope',
        '--controllers=-typo: is not in the list of known controllers: webapp, database',
        '--kube-api-burst=0: must be at least 1',
        '--concurrent-webapp-syncs=0: must be at least 1',
        '--concurrent-database-syncs=0: must be at least 1',
        '--database-image-registry=https://x/: must be a registry and a path, such as docker.io/library',
        '--leader-elect-lease-duration=5000ms: must be greater than --leader-elect-renew-deadline',
        '--leader-elect-retry-period=0ms: must be positive',
        '--bind-address=here: must be an IP address',
        '--secure-port=70000: must be between 0 and 65535, inclusive',
        '--tls-cert-file=/nowhere: needs --tls-private-key-file',
        '--tls-cert-file=/nowhere: no such file or directory'
      ]
    })
    t.match(await readManagerCommand(['--leader-elect=false', '--leader-elect-lease-duration=5s'], known), { kind: 'config' }, 'times that nobody uses do not matter')
  })

  t.test('help and the README name every flag', async t => {
    const help = await readManagerCommand(['--help', '--nope'], known)
    const text = help.kind === 'help' ? help.text : ''
    for (const { name } of Object.values(managerFlags)) {
      t.match(text, new RegExp(`\\n .*--${name}( |\\n)`), name)
      t.match(managerFlagTable(known), `--${name}\``)
    }
    t.match(text, /All\s+controllers:\s+webapp,\s+database\./)
  })
})

t.test('as a process it says all that is wrong and exits with 2; without a cluster with 1', { timeout: 60_000 }, async t => {
  const home = t.testdir({ kubeconfig: '{}' })
  const run = async (...args: string[]): Promise<{ code: number | null, stderr: string }> => {
    const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('../../apiserver/main.ts', import.meta.url)), 'controller-manager', ...args], { env: { PATH: process.env['PATH'], HOME: home }, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => { stderr += chunk.toString() })
    const [code] = await once(child, 'close') as [number | null]
    return { code, stderr }
  }
  t.same(await run('--controllers=typo', '--nope'), { code: 2, stderr: 'annex controller-manager: unknown flag: --nope\nannex controller-manager: --controllers=typo: is not in the list of known controllers: webapp\nSee annex controller-manager --help.\n'.replace('webapp\n', `${(await import('../main.js')).initializers.map(i => i.name).join(', ')}\n`) })
  t.match(await run(`--kubeconfig=${home}/kubeconfig`), { code: 1, stderr: /no current cluster/ })
})

interface Got { code: number | undefined, text: string }

/** A GET over HTTPS, by a new connection. */
const get = async (port: number, path: string, ca?: string): Promise<Got> => await new Promise((resolve, reject) => {
  request({ host: '127.0.0.1', port, path, agent: false, ...(ca === undefined ? { rejectUnauthorized: false } : { ca }) }, response => {
    let text = ''
    response.on('data', (chunk: Buffer) => { text += chunk.toString() }).on('end', () => { resolve({ code: response.statusCode, text }) })
  }).on('error', reject).end()
})

t.test('controllers run together: when one fails, the others have ended before anybody hears of it', async t => {
  const running = new Set<string>()
  const controller = (name: string, work: (signal: AbortSignal) => Promise<void>): { run (signal: AbortSignal): Promise<void> } => ({
    run: async signal => {
      running.add(name)
      await work(signal).finally(() => { running.delete(name) })
    }
  })
  const untilAborted = async (signal: AbortSignal): Promise<void> => { await new Promise<void>(resolve => { signal.addEventListener('abort', () => { setTimeout(resolve, 20) }) }) }
  await t.rejects(runTogether([controller('good', untilAborted), controller('bad', async () => { throw new Error('broken') })], new AbortController().signal), { message: 'broken' })
  t.equal(running.size, 0)
  const stop = new AbortController()
  const reasons: unknown[] = []
  const ended = runTogether([controller('one', async signal => { await untilAborted(signal); reasons.push(signal.reason) })], stop.signal)
  stop.abort('lost')
  await ended
  t.same(reasons, ['lost'], 'they know why')
  await runTogether([], AbortSignal.abort())
})

t.test('health and metrics are served over HTTPS', async t => {
  const metrics = { contentType: 'text/plain', metrics: async () => 'up 1\n' }
  t.test('with a certificate of its own making', async t => {
    const serving = await startServing({ bindAddress: '127.0.0.1', port: 0, tls: undefined }, { metrics, readyz: { never: () => { throw new Error('no') } }, authorizeMetrics: async () => ({ allowed: false, code: 403, text: 'no' }) }, silentLogger)
    t.teardown(async () => { await serving.close() })
    t.same(await get(serving.port, '/healthz'), { code: 200, text: 'ok' })
    t.same(await get(serving.port, '/readyz'), { code: 500, text: '[+]ping ok\n[-]never failed: reason withheld\nreadyz check failed\n' })
    t.same(await get(serving.port, '/metrics'), { code: 403, text: 'no' })
  })

  t.test('or with one from files, which are followed', async t => {
    const [one, two] = ['one', 'two'].map(commonName => Authority.create({ commonName }))
    const files = (authority: Authority): Record<string, string> => {
      const { certificatePem, privateKeyPem } = newServingCertificate(authority, { subjectAltNames: servingNames([]) })
      return { 'tls.crt': certificatePem, 'tls.key': privateKeyPem }
    }
    const directory = t.testdir(files(one!))
    const serving = await startServing({ bindAddress: '127.0.0.1', port: 0, tls: { certificateFile: `${directory}/tls.crt`, keyFile: `${directory}/tls.key` } }, { metrics }, silentLogger)
    t.teardown(async () => { await serving.close() })
    t.same(await get(serving.port, '/metrics', one!.certificatePem), { code: 200, text: 'up 1\n' })
    const { writeFile } = await import('node:fs/promises')
    for (const [name, text] of Object.entries(files(two!))) await writeFile(`${directory}/${name}`, text)
    const { until } = await import('../../test/fixtures/control-plane-conditions.js')
    await until('the new certificate', async () => (await get(serving.port, '/healthz', two!.certificatePem)).code === 200)
  })
})

t.test('the cluster is asked who may read the metrics', async t => {
  const { port, reviews, clock } = await guarded(t)
  t.same(await port(undefined), { allowed: false, code: 403, text: 'forbidden: User "system:anonymous" cannot get path "/metrics"' })
  t.same(await port('Bearer bad'), { allowed: false, code: 401, text: 'Unauthorized' })
  t.same(await port('Bearer good'), { allowed: true })
  t.same(await port('bearer good'), { allowed: true })
  t.equal(reviews.length, 4, 'the last answer was kept')
  t.match(reviews.at(-1), { spec: { user: 'prometheus', groups: ['monitoring'], nonResourceAttributes: { path: '/metrics', verb: 'get' } } })
  await clock.advance(10_001)
  t.same(await port('Bearer good'), { allowed: true })
  t.equal(reviews.length, 6, 'for ten seconds')
  t.match(JSON.stringify(reviews.filter(r => r.kind === 'SubjectAccessReview')), /^(?!.*good)/, 'the token goes nowhere else')

  async function guarded (t: Test): Promise<{ port: (authorization: string | undefined) => Promise<unknown>, reviews: { kind: string, spec: { token?: string, user?: string } }[], clock: FakeClock }> {
    const server = await startFakeServer(t)
    const reviews: { kind: string, spec: { token?: string, user?: string } }[] = []
    server.otherwise = ({ body }) => {
      const review = JSON.parse(body) as (typeof reviews)[number]
      reviews.push(review)
      const status = review.kind === 'TokenReview' ? review.spec.token === 'good' ? { authenticated: true, user: { username: 'prometheus', groups: ['monitoring'] } } : { authenticated: false } : { allowed: review.spec.user === 'prometheus' }
      return { code: 201, body: { ...review, status } }
    }
    const client = new RestClient({ connection: { server: server.url } })
    t.teardown(() => { client.close() })
    const clock = new FakeClock()
    const access = metricsAccess(client, clock)
    return { reviews, clock, port: async authorization => await access({ url: '/metrics', headers: { ...(authorization !== undefined && { authorization }) } } as unknown as Parameters<typeof access>[0]) }
  }
})
