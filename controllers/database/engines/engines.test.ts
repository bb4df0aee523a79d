import t from 'tap'
import { engines, imageOf } from './engines.js'

const registry = 'docker.io/library'
const secret = { secretName: 's' }

t.test('images', async t => {
  const cases: [keyof typeof engines, string, string | undefined][] = [
    ['postgresql', '17', 'docker.io/library/postgres:17'],
    ['postgresql', '17.2', 'docker.io/library/postgres:17.2'],
    // db.example.com wants three numbers; PostgreSQL has two.
    ['postgresql', '17.2.0', 'docker.io/library/postgres:17.2'],
    ['postgresql', '17.2.1', 'docker.io/library/postgres:17.2.1'],
    ['postgresql', '9.6.0', 'docker.io/library/postgres:9.6.0'],
    ['mysql', '8.0.36', 'docker.io/library/mysql:8.0.36'],
    ['mongodb', '8.0', 'docker.io/library/mongo:8.0'],
    ['postgresql', '15.2 x', undefined],
    ['postgresql', '15.2@sha256:0', undefined],
    ['mysql', '8.0/../evil', undefined]
  ]
  for (const [engine, version, image] of cases) t.equal(imageOf(engines[engine], version, registry), image, `${engine} ${version}`)
})

t.test('a version that cannot open the data is refused', async t => {
  const cases: [keyof typeof engines, string, string, boolean][] = [
    ['postgresql', '17.2', '17.4', true], ['postgresql', '17.4', '17.2', true], ['postgresql', '17', '17.4', true], ['postgresql', '16.4', '17.2', false], ['postgresql', '17.2', '16.4', false],
    ['mysql', '8.0.36', '8.0.40', true], ['mysql', '8.0.40', '8.0.36', false], ['mysql', '8.4.3', '8.4.1', true], ['mysql', '8.0', '8.4', true], ['mysql', '8.0', '8.1', true], ['mysql', '8.1', '8.4.0', true],
    ['mysql', '8.4', '8.0', false], ['mysql', '8.0', '9.0', false], ['mysql', '8.4', '9.1', true], ['mysql', '5.7', '8.4', false],
    ['mongodb', '7.0.5', '7.0.2', true], ['mongodb', '6.0', '7.0', true], ['mongodb', '6.0', '8.0', false], ['mongodb', '8.0', '7.0', false], ['mongodb', '8.0', '9.0', true], ['mongodb', '9.0', '8.0', false]
  ]
  for (const [engine, from, to, possible] of cases) t.equal(engines[engine].upgradeProblem(from, to) === undefined, possible, `${engine} ${from} to ${to}`)
  t.match(engines.mongodb.upgradeProblem('6.0', '8.0'), /go to 7.0 first/)
  t.match(engines.mysql.upgradeProblem('5.7', '8.4'), /go to 8.0 first/)
})

t.test('settings become the engine\'s file', async t => {
  t.strictSame(engines.postgresql.configFile({ work_mem: '64MB', max_connections: '200', 'auto_explain.log_format': "it's" }), {
    name: 'postgresql.conf',
    text: "include_if_exists = '/var/lib/postgresql/data/pgdata/postgresql.conf'\nlisten_addresses = '*'\nauto_explain.log_format = 'it''s'\nmax_connections = '200'\nwork_mem = '64MB'\n"
  })
  t.strictSame(engines.mysql.configFile({ max_connections: '200', 'skip-name-resolve': '', init_connect: 'SET NAMES "utf8"' }), {
    name: 'database.cnf', text: '[mysqld]\ninit_connect = "SET NAMES \\"utf8\\""\nmax_connections = "200"\nskip-name-resolve\n'
  })
  t.strictSame(engines.mongodb.configFile({ 'storage.wiredTiger.engineConfig.cacheSizeGB': '0.5', 'operationProfiling.mode': 'slowOp', 'operationProfiling.slowOpThresholdMs': '50' }), {
    name: 'mongod.conf', text: 'operationProfiling:\n  mode: "slowOp"\n  slowOpThresholdMs: 50\nstorage:\n  wiredTiger:\n    engineConfig:\n      cacheSizeGB: 0.5\n'
  })
  t.match(engines.mongodb.configFile({}), { text: '{}\n' })
})

t.test('settings that are none, or the operator\'s, are refused', async t => {
  const cases: [keyof typeof engines, Record<string, string>, RegExp][] = [
    ['postgresql', { 'a b': '1' }, /no setting's name/], ['postgresql', { Port: '1' }, /set by the operator/], ['postgresql', { work_mem: '1\nport = 1' }, /one line/],
    ['mysql', { 'bind-address': '::' }, /set by the operator/], ['mysql', { '!includedir': '/tmp' }, /no setting's name/],
    ['mongodb', { verbose: '1' }, /no setting's name/], ['mongodb', { 'storage.dbPath': '/x' }, /set by the operator/], ['mongodb', { 'a.b': '1', 'a.b.c': '2' }, /at once/],
    ['mongodb', { '__proto__.polluted': 'x' }, /no setting's name/]
  ]
  for (const [engine, configuration, message] of cases) t.match(engines[engine].configFile(configuration), { reason: 'InvalidConfiguration', message }, JSON.stringify(configuration))
})

t.test('no container says a password', async t => {
  for (const engine of Object.values(engines)) {
    for (const variable of [...engine.container(secret).env, ...engine.dump.env(secret), ...engine.exporter.env(secret)]) {
      if (/PASS|PWD/.test(variable.name)) t.match(variable, { value: undefined, valueFrom: { secretKeyRef: { name: 's', key: 'password' } } }, variable.name)
    }
  }
})
