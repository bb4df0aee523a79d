import { fromSecret, type Engine } from './engine.js'
import { settingsProblem, sorted } from './settings-file.js'
import { compareVersions, numbersOf } from './versions.js'

const port = 3306
/** 0 also when the user is refused: the server is there. */
const ping = ['sh', '-c', `MYSQL_PWD="$MYSQL_ROOT_PASSWORD" exec mysqladmin ping --silent --connect-timeout=3 -h 127.0.0.1 -P ${port} -u root`]
/** Release series in their order; a data directory goes one on, and never back. */
const series = ['5.7', '8.0', '8.1', '8.2', '8.3', '8.4', '9.0', '9.1', '9.2', '9.3', '9.4', '9.5', '9.6', '9.7']

/** https://hub.docker.com/_/mysql. While it initialises, the server has no network, so probes ask over TCP. */
export const mysql: Engine = {
  repository: 'mysql',
  tag: version => version,
  port,
  user: 'root',
  container: credentials => ({
    env: [fromSecret('MYSQL_ROOT_PASSWORD', credentials, 'password')],
    // The server initialises an empty directory only, and a volume has a lost+found.
    volumeMounts: [{ name: 'data', mountPath: '/var/lib/mysql', subPath: 'mysql' }, { name: 'config', mountPath: '/etc/mysql/conf.d', readOnly: true }]
  }),
  probes: {
    startupProbe: { exec: { command: ping }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 180 },
    readinessProbe: { exec: { command: ping }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    livenessProbe: { exec: { command: ping }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
  },
  scratch: ['/tmp', '/var/run/mysqld'],

  configFile (settings) {
    const problem = settingsProblem(settings, {
      name: /^[A-Za-z_][\w.-]*$/,
      reserved: new Set(['datadir', 'socket', 'port', 'bind_address', 'user', 'pid_file', 'secure_file_priv', 'skip_networking', 'skip_grant_tables'])
    })
    if (problem !== undefined) return problem
    const lines = sorted(settings).map(([name, value]) => value === '' ? name : `${name} = "${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`)
    return { name: 'database.cnf', text: ['[mysqld]', ...lines, ''].join('\n') }
  },

  dump: {
    script: `mysqldump --host="$HOST" --port=${port} --user=root --all-databases --single-transaction --routines --events --triggers | gzip`,
    extension: 'sql.gz',
    env: credentials => [fromSecret('MYSQL_PWD', credentials, 'password')]
  },

  upgradeProblem (from, to) {
    const [before, after] = [numbersOf(from), numbersOf(to)].map(n => series.indexOf(n.slice(0, 2).join('.')))
    // Within a long-term series since 8.4 one may go back.
    const back = compareVersions(to, from) < 0 && !(before === after && before !== undefined && before >= series.indexOf('8.4'))
    if (back) return `MySQL does not open the data of a later version: ${to} is older than ${from}`
    if (before === undefined || after === undefined || before < 0 || after < 0) return undefined
    const long = [series.indexOf('8.0'), series.indexOf('8.4'), series.indexOf('9.7')]
    // From one long-term series everything up to the next one can be reached.
    const next = long.find(l => l > before) ?? series.length
    return after > next ? `MySQL ${from} cannot be upgraded to ${to} at once: go to ${series[next]} first` : undefined
  },

  exporter: {
    image: 'docker.io/prom/mysqld-exporter:v0.17.2',
    port: 9104,
    args: [`--mysqld.address=127.0.0.1:${port}`, '--mysqld.username=root'],
    env: credentials => [fromSecret('MYSQLD_EXPORTER_PASSWORD', credentials, 'password')]
  }
}
