import path from 'node:path'
import t from 'tap'
import { parseFlags } from '../cli/flags.js'
import { apiserverFlags } from './apiserver-flags.js'
import { complete, flagTable, readApiserverCommand, type ApiserverConfig } from './apiserver-options.js'

t.test('help names every flag once', async t => {
  const command = await readApiserverCommand(['--help', '--nope'], { columns: 100 })
  t.equal(command.kind, 'help')
  if (command.kind !== 'help') return
  for (const { name } of Object.values(apiserverFlags)) t.equal(command.text.split('\n').filter(line => new RegExp(`^ .*--${name}( |$)`).test(line.slice(0, 60))).length, 1, name)
  t.ok(command.text.split('\n').every(line => line.length <= 130))
})

t.test('the README table has a row for every flag', async t => {
  const markdown = flagTable()
  for (const flag of Object.values(apiserverFlags)) t.equal(markdown.split('\n').filter(line => line.includes(`--${flag.name}\``) && line.startsWith('| `')).length, 1, flag.name)
  t.match(markdown, /^### Secure serving\n\n\| flag \| default \| what it does \|\n/)
  t.match(markdown, '| `--secure-port` int | `8443` |')
  t.match(markdown, '`-v, --v` Level')
  t.ok(markdown.split('\n').filter(line => line.startsWith('| ')).every(line => line.split(/(?<!\\)\|/).length === 5), 'no cell breaks its row')
})

const configOf = async (...args: string[]): Promise<ApiserverConfig> => {
  const command = await readApiserverCommand(args)
  if (command.kind !== 'config') throw new Error(JSON.stringify(command))
  return command.config
}

t.test('no flags at all is a complete standalone server', async t => {
  const config = await configOf()
  t.match(config, {
    serving: { bindAddress: '127.0.0.1', securePort: 8443, tls: undefined, http2: true },
    dataDir: path.resolve('.annex'),
    pkiDir: path.resolve('.annex/pki'),
    kubeconfigFile: path.resolve('.annex/kubeconfig'),
    storage: { type: 'embedded', directory: path.resolve('.annex/store'), compactionIntervalMs: 300_000 },
    crdFiles: [],
    metricTtlMs: 300_000,
    metricSeries: { perMapping: 10_000, perNamespace: 20_000, total: 100_000 },
    metricCheckpoints: { intervalMs: 15_000, writesPerSecond: 50 },
    metricsRoutes: [],
    cluster: undefined,
    authentication: { clientCaFile: undefined, anonymous: true, skipLookup: false, tolerateLookupFailure: false, tokenCacheTtlMs: 10_000, requestHeader: undefined },
    authorization: { policyFile: undefined, alwaysAllowPaths: ['/healthz', '/readyz', '/livez'], allowCacheTtlMs: 10_000, denyCacheTtlMs: 10_000 },
    audit: undefined,
    limits: { maxRequestsInflight: 400, maxMutatingRequestsInflight: 200, requestTimeoutMs: 60_000, minRequestTimeoutSeconds: 1800 },
    shutdown: { delayMs: 0, timeoutMs: 60_000 },
    verbosity: 0
  })
  t.throws(() => { (config.serving as { securePort: number }).securePort = 1 }, TypeError, 'frozen to the bottom')
  t.throws(() => { (config.crdFiles as string[]).push('x') }, TypeError)
  t.ok(config.serving.sans.includes('127.0.0.1'))
})

t.test('every flag reaches its place', async t => {
  const dir = t.testdir({ a: '', b: '', crds: {} })
  const [a, b, crds] = ['a', 'b', 'crds'].map(f => path.join(dir, f)) as [string, string, string]
  t.match(await configOf('--secure-port=0', '--bind-address=0.0.0.0', `--data-dir=${dir}/data`, '--tls-san=x.example,10.0.0.1', '--tls-san=y.example', '--http2=false',
    '--etcd-servers=https://e1:2379,https://e2:2379', `--etcd-cafile=${a}`, `--etcd-certfile=${a}`, `--etcd-keyfile=${b}`, '--etcd-prefix=/annex', '--etcd-compaction-interval=0',
    `--crd-file=${a}`, `--crd-file=${crds}`, '--metric-ttl=1m', `--client-ca-file=${a}`, '--anonymous-auth=false', `--authorization-policy-file=${b}`,
    `--audit-log-path=${dir}/audit.log`, `--audit-policy-file=${a}`, '--audit-log-maxsize=1', '--audit-log-maxbackup=2', '--audit-log-maxage=3',
    '--max-requests-inflight=1', '--max-mutating-requests-inflight=0', '--request-timeout=5s', '--min-request-timeout=60', '--shutdown-delay-duration=1s', '--shutdown-timeout=2s', '-v=4'), {
    serving: { securePort: 0, bindAddress: '0.0.0.0', http2: false },
    storage: { type: 'etcd', servers: ['https://e1:2379', 'https://e2:2379'], prefix: '/annex', caFile: a, client: { certificateFile: a, keyFile: b }, compactionIntervalMs: 0 },
    crdFiles: [a, crds],
    metricTtlMs: 60_000,
    metricSeries: { perMapping: 10_000, perNamespace: 20_000, total: 100_000 },
    metricCheckpoints: { intervalMs: 15_000, writesPerSecond: 50 },
    authentication: { clientCaFile: a, anonymous: false },
    authorization: { policyFile: b },
    audit: { path: path.join(dir, 'audit.log'), policyFile: a, maxSizeBytes: 1_048_576, maxBackups: 2, maxAgeDays: 3 },
    limits: { maxRequestsInflight: 1, maxMutatingRequestsInflight: 0, requestTimeoutMs: 5000, minRequestTimeoutSeconds: 60 },
    shutdown: { delayMs: 1000, timeoutMs: 2000 },
    verbosity: 4
  })
  t.same((await configOf(`--tls-cert-file=${a}`, `--tls-private-key-file=${b}`)).serving.tls, { certificateFile: a, keyFile: b })
  t.equal((await configOf('--audit-log-path=-')).audit?.path, '-')
  const { sans } = (await configOf('--bind-address=0.0.0.0', '--tls-san=x.example,10.0.0.1')).serving
  t.ok(sans.includes('x.example') && sans.includes('10.0.0.1') && !sans.includes('0.0.0.0'))
})

t.test('a Secret for the serving certificate, and the Service in front', async t => {
  const kubeconfig = `--kubeconfig=${path.join(t.testdir({ a: '' }), 'a')}`
  t.equal((await configOf(kubeconfig)).serving.secret, undefined)
  const hour = 3_600_000
  const { secret, sans, tls } = (await configOf(kubeconfig, '--serving-certificate-secret=ns/pair', '--tls-san=x.example')).serving
  t.same({ secret, sans, tls }, {
    secret: { secret: { namespace: 'ns', name: 'pair' }, service: { namespace: 'ns', name: 'annex' }, certificateValidityMs: 2160 * hour, authorityValidityMs: 8760 * hour },
    sans: ['x.example'], tls: undefined
  }, 'without the names of one replica')
  t.match((await configOf(kubeconfig, '--serving-certificate-secret=ns/pair.x', '--service=other/svc', '--serving-certificate-validity=1h', '--serving-certificate-ca-validity=3h')).serving.secret, {
    secret: { namespace: 'ns', name: 'pair.x' }, service: { namespace: 'other', name: 'svc' }, certificateValidityMs: hour, authorityValidityMs: 3 * hour
  })
})

t.test('the cluster is named by kubeconfigs or by the pod, each part by its own first', async t => {
  const dir = t.testdir({ a: '', b: '', c: '', sa: { token: 'x' } })
  const [a, b, c] = ['a', 'b', 'c'].map(f => ({ type: 'kubeconfig', file: path.join(dir, f) })) as [object, object, object]
  const pod = { type: 'inCluster', server: 'https://10.0.0.1:443', tokenFile: path.join(dir, 'sa/token'), caFile: path.join(dir, 'sa/ca.crt') }
  const env = { KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }
  const serviceAccountDir = path.join(dir, 'sa')
  for (const [name, args, environment, expected] of [
    ['nothing', [], {}, undefined],
    ['all by one', [`--kubeconfig=${dir}/a`], {}, { core: a, authentication: a, authorization: a }],
    ['each its own', [`--kubeconfig=${dir}/a`, `--authentication-kubeconfig=${dir}/b`, `--authorization-kubeconfig=${dir}/c`], {}, { core: a, authentication: b, authorization: c }],
    ['authentication for all', [`--authentication-kubeconfig=${dir}/b`], {}, { core: b, authentication: b, authorization: b }],
    ['a pod', [], { env, serviceAccountDir }, { core: pod, authentication: pod, authorization: pod }],
    ['a pod with one kubeconfig', [`--authorization-kubeconfig=${dir}/c`], { env, serviceAccountDir }, { core: pod, authentication: pod, authorization: c }],
    ['a pod without a token', [], { env, serviceAccountDir: dir }, undefined],
    ['a token without a pod', [], { env: {}, serviceAccountDir }, undefined],
    ['IPv6', [], { env: { ...env, KUBERNETES_SERVICE_HOST: 'fd00::1' }, serviceAccountDir }, { core: { ...pod, server: 'https://[fd00::1]:443' }, authentication: {}, authorization: {} }]
  ] as const) {
    const command = await readApiserverCommand(args, environment)
    if (command.kind !== 'config') throw new Error(JSON.stringify(command))
    if (expected === undefined) t.equal(command.config.cluster, undefined, name)
    else t.match(command.config.cluster, expected, name)
  }
  const { authentication, authorization } = await configOf(`--requestheader-client-ca-file=${dir}/a`, '--requestheader-allowed-names=p,q', '--requestheader-username-headers=X-U', '--requestheader-group-headers=X-G',
    '--requestheader-extra-headers-prefix=X-E-', '--requestheader-uid-headers=X-Remote-Uid', '--authentication-skip-lookup', '--authentication-tolerate-lookup-failure', '--authentication-token-webhook-cache-ttl=1s',
    '--authorization-always-allow-paths=/x/*', '--authorization-webhook-cache-authorized-ttl=2s', '--authorization-webhook-cache-unauthorized-ttl=0')
  t.match(authentication, {
    skipLookup: true, tolerateLookupFailure: true, tokenCacheTtlMs: 1000,
    requestHeader: { clientCaFile: path.join(dir, 'a'), allowedNames: ['p', 'q'], usernameHeaders: ['X-U'], groupHeaders: ['X-G'], extraHeaderPrefixes: ['X-E-'], uidHeaders: ['X-Remote-Uid'] }
  })
  t.match(authorization, { alwaysAllowPaths: ['/x/*'], allowCacheTtlMs: 2000, denyCacheTtlMs: 0 })
})

t.test('each mistake has its sentence', async t => {
  const dir = t.testdir({ a: '', d: {} })
  const a = path.join(dir, 'a')
  const d = path.join(dir, 'd')
  for (const [args, expected] of [
    [['--secure-port=70000'], ['--secure-port=70000: must be between 0 and 65535, inclusive']],
    [['--bind-address=localhost'], ['--bind-address=localhost: must be an IP address']],
    [[`--tls-cert-file=${a}`], [`--tls-cert-file=${a}: needs --tls-private-key-file`]],
    [[`--tls-private-key-file=${a}`], [`--tls-private-key-file=${a}: needs --tls-cert-file`]],
    [[`--client-ca-file=${dir}/none`], [`--client-ca-file=${dir}/none: no such file or directory`]],
    [[`--client-ca-file=${d}`], [`--client-ca-file=${d}: is a directory`]],
    [[`--data-dir=${a}`], [`--data-dir=${a}: is not a directory`]],
    [['--data-dir='], ['--data-dir=: must not be empty']],
    [['--tls-san=a_b'], ['--tls-san=a_b: must be a DNS name or an IP address']],
    [[`--etcd-cafile=${a}`], [`--etcd-cafile=${a}: needs --etcd-servers`]],
    [['--etcd-servers=http://e:2379', `--etcd-cafile=${a}`], [`--etcd-cafile=${a}: needs https in --etcd-servers`]],
    [['--etcd-servers=https://e:2379', `--etcd-keyfile=${a}`], [`--etcd-keyfile=${a}: needs --etcd-certfile`]],
    [['--etcd-servers=e:2379'], ['--etcd-servers=e:2379: must be a URL such as https://10.0.0.1:2379']],
    [['--etcd-servers=http://e:2379,https://f:2379'], ['--etcd-servers=http://e:2379,https://f:2379: must be all http or all https']],
    [['--etcd-servers=http://e:2379', '--etcd-prefix=x'], ['--etcd-prefix=x: must begin with /']],
    [[`--kubeconfig=${dir}/none`], [`--kubeconfig=${dir}/none: no such file or directory`]],
    [['--service=a/b'], ['--service=a/b: needs --serving-certificate-secret']],
    [['--serving-certificate-secret=a/b'], ['--serving-certificate-secret=a/b: needs a cluster: --kubeconfig, or a pod']],
    [[`--kubeconfig=${a}`, '--serving-certificate-secret=annex'], ['--serving-certificate-secret=annex: must be the namespace and the name of a Secret, such as annex-system/annex-serving']],
    [[`--kubeconfig=${a}`, '--serving-certificate-secret=a/b', '--service=a/b.c'], ['--service=a/b.c: must be the namespace and the name of a Service, such as annex-system/annex']],
    [[`--kubeconfig=${a}`, '--serving-certificate-secret=a/b', `--tls-cert-file=${a}`, `--tls-private-key-file=${a}`], ['--serving-certificate-secret=a/b: cannot be used with --tls-cert-file, which names the certificate to serve; leave one of them out']],
    [[`--kubeconfig=${a}`, '--serving-certificate-secret=a/b', '--serving-certificate-validity=59s'], ['--serving-certificate-validity=59s: must be at least 1m']],
    [[`--kubeconfig=${a}`, '--serving-certificate-secret=a/b', '--serving-certificate-ca-validity=6000h'], ['--serving-certificate-ca-validity=6000h0m0s: must be at least three times --serving-certificate-validity']],
    [[`--authorization-kubeconfig=${a}`], [`--authorization-kubeconfig=${a}: needs --kubeconfig or --authentication-kubeconfig`]],
    [[`--kubeconfig=${a}`, `--authorization-policy-file=${a}`], [`--authorization-policy-file=${a}: has no effect in a cluster, whose own policy decides; leave it out`]],
    [[`--requestheader-client-ca-file=${dir}/none`, '--requestheader-username-headers= ', '--requestheader-uid-headers=X-Uid'], [
      `--requestheader-client-ca-file=${dir}/none: no such file or directory`,
      '--requestheader-username-headers= : must not have an empty value',
      '--requestheader-uid-headers=X-Uid: is set without the standard X-Remote-Uid header; API aggregation will not work'
    ]],
    [['--authorization-always-allow-paths=/a*b', '--authentication-token-webhook-cache-ttl=-1s'], ['--authentication-token-webhook-cache-ttl=-1000ms: must not be negative', '--authorization-always-allow-paths=/a*b: only trailing * allowed']],
    [[`--audit-policy-file=${a}`], [`--audit-policy-file=${a}: needs --audit-log-path`]],
    [[`--audit-log-path=${dir}/none/audit.log`], [`--audit-log-path=${dir}/none/audit.log: the directory ${dir}/none does not exist`]],
    [['--max-requests-inflight=-1', '--request-timeout=0', '--metric-ttl=-1s', '--metric-series=0', '--v=-1'], ['--metric-ttl=-1000ms: must be positive', '--metric-series=0: must be positive', '--max-requests-inflight=-1: must not be negative', '--request-timeout=0ms: must be positive', '--v=-1: must not be negative']],
    [['--nope', '--secure-port=-1', `--crd-file=${dir}/none`], ['unknown flag: --nope', '--secure-port=-1: must be between 0 and 65535, inclusive', `--crd-file=${dir}/none: no such file or directory`]]
  ] as const) {
    const command = await readApiserverCommand(args)
    t.same(command, { kind: 'errors', errors: expected }, args.join(' '))
  }
})

t.test('options can be completed without a command line', async t => {
  const { options } = parseFlags(apiserverFlags, [], 'x')
  t.same((await complete({ ...options, securePort: 0, dataDir: t.testdir() })).errors, [])
})

t.test('metrics routes: what may be said, and what is wrong with the rest', async t => {
  const dir = t.testdir({ ca: '', crt: '', key: '', token: '' })
  const file = (name: string): string => path.join(dir, name)
  const ca = `url=https://keda-metrics-apiserver.keda.svc,ca-file=${file('ca')}`
  const proxy = `cert-file=${file('crt')},key-file=${file('key')}`
  const config = await configOf(`--metrics-route=group=external.metrics.k8s.io, namespace=team-*,metric=kafka-*,${ca},${proxy},server-name=x.svc,timeout=1500ms`,
    `--metrics-route=url=https://[::1]:6443/,ca-file=${file('ca')},token-file=${file('token')}`)
  t.same(config.metricsRoutes, [
    {
      group: 'external.metrics.k8s.io', namespace: 'team-*', metric: 'kafka-*', url: 'https://keda-metrics-apiserver.keda.svc', caFile: file('ca'), serverName: 'x.svc', timeoutMs: 1500,
      identity: { type: 'frontProxy', certificateFile: file('crt'), keyFile: file('key') }
    },
    { group: undefined, namespace: '*', metric: '*', url: 'https://[::1]:6443', caFile: file('ca'), serverName: undefined, timeoutMs: 5000, identity: { type: 'impersonate', tokenFile: file('token') } }
  ])
  const either = 'needs cert-file and key-file (of a front proxy that the other side trusts), or token-file (of an account that may impersonate there)'
  const table: [string, string[]][] = [
    ['', ['"" must be formatted as key=value', 'needs url', "needs ca-file, the authority of the other side's certificate", either]],
    [`${ca},${proxy},group=metrics.k8s.io`, ['group must be custom.metrics.k8s.io or external.metrics.k8s.io']],
    [`${ca},${proxy},name=x`, ['unknown key "name"; known are group, namespace, metric, url, ca-file, server-name, cert-file, key-file, token-file, timeout']],
    [`${ca},${proxy},metric=`, ['metric must not be empty']],
    [`${ca},${proxy},metric=a,metric=b`, ['metric is given twice']],
    [`url=http://x,ca-file=${file('ca')},${proxy}`, ['url must be https://HOST[:PORT] without a path']],
    [`url=https://x/apis,ca-file=${file('ca')},${proxy}`, ['url must be https://HOST[:PORT] without a path']],
    [`url=x,ca-file=${file('ca')},${proxy}`, ['url must be https://HOST[:PORT] without a path']],
    [`${ca},cert-file=${file('crt')}`, ['needs both cert-file and key-file']],
    [ca, [either]],
    [`${ca},${proxy},token-file=${file('token')}`, ['cert-file and token-file exclude each other']],
    [`${ca},${proxy},timeout=0s`, ['timeout must be a duration above 0 such as 5s']],
    [`${ca},${proxy},timeout=soon`, ['timeout must be a duration above 0 such as 5s']]
  ]
  for (const [text, problems] of table) {
    const command = await readApiserverCommand([`--metrics-route=${text}`])
    t.same(command, { kind: 'errors', errors: problems.map(p => `--metrics-route=${text}: ${p}`) }, text)
  }
  const missing = await readApiserverCommand([`--metrics-route=url=https://x,ca-file=${file('none')},${proxy}`])
  t.same(missing, { kind: 'errors', errors: [`--metrics-route=${file('none')}: no such file or directory`] })
  const many = await readApiserverCommand(Array.from({ length: 33 }, () => `--metrics-route=${ca},${proxy}`))
  t.same(many, { kind: 'errors', errors: [`--metrics-route=${ca},${proxy}: may be given 32 times at most`] })
})
