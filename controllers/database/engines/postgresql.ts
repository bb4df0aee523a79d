import { fromSecret, type Engine } from './engine.js'
import { settingsProblem, sorted } from './settings-file.js'
import { numbersOf } from './versions.js'

const port = 5432
const dataDirectory = '/var/lib/postgresql/data/pgdata'
const isReady = ['pg_isready', '-q', '-h', '127.0.0.1', '-p', String(port), '-U', 'postgres']

/** https://hub.docker.com/_/postgres. While it initialises, the server listens on its socket only, so probes ask over TCP. */
export const postgresql: Engine = {
  repository: 'postgres',
  // Since 10 versions have two numbers; who has to write three writes a zero.
  tag: version => (numbersOf(version)[0] ?? 0) >= 10 ? version.replace(/^(\d+\.\d+)\.0$/, '$1') : version,
  port,
  user: 'postgres',
  container: credentials => ({
    args: ['-c', 'config_file=/etc/postgresql/postgresql.conf'],
    env: [fromSecret('POSTGRES_USER', credentials, 'username'), fromSecret('POSTGRES_PASSWORD', credentials, 'password'), { name: 'PGDATA', value: dataDirectory }],
    // The server wants a directory that holds nothing else, such as lost+found.
    volumeMounts: [{ name: 'data', mountPath: '/var/lib/postgresql/data' }, { name: 'config', mountPath: '/etc/postgresql', readOnly: true }]
  }),
  probes: {
    // Half an hour: recovery replays what was not checkpointed.
    startupProbe: { exec: { command: isReady }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 180 },
    readinessProbe: { exec: { command: isReady }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
    // 1 is a server that refuses for now, as while it shuts down; 2 is one that does not answer.
    livenessProbe: { exec: { command: ['sh', '-c', `${isReady.join(' ')}; [ $? -ne 2 ]`] }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
  },
  scratch: ['/tmp', '/var/run/postgresql'],
  sharedMemory: '256Mi',

  configFile (settings) {
    const problem = settingsProblem(settings, {
      name: /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)?$/,
      reserved: new Set(['config_file', 'data_directory', 'hba_file', 'ident_file', 'listen_addresses', 'port', 'unix_socket_directories', 'external_pid_file'])
    })
    if (problem !== undefined) return problem
    const lines = sorted(settings).map(([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`)
    // What the image chose for this machine, and then what was asked for.
    return { name: 'postgresql.conf', text: [`include_if_exists = '${dataDirectory}/postgresql.conf'`, "listen_addresses = '*'", ...lines, ''].join('\n') }
  },

  dump: {
    script: `pg_dumpall --host="$HOST" --port=${port} --username="$PGUSER" --clean --if-exists | gzip`,
    extension: 'sql.gz',
    env: credentials => [fromSecret('PGUSER', credentials, 'username'), fromSecret('PGPASSWORD', credentials, 'password')]
  },

  upgradeProblem (from, to) {
    const [before, after] = [numbersOf(from)[0], numbersOf(to)[0]]
    // Minor versions share their format, in both directions.
    return before === after ? undefined : `PostgreSQL ${after} cannot open the data of PostgreSQL ${before}: dump it, and restore it into a new Database`
  },

  exporter: {
    image: 'quay.io/prometheuscommunity/postgres-exporter:v0.17.1',
    port: 9187,
    env: credentials => [{ name: 'DATA_SOURCE_URI', value: `127.0.0.1:${port}/postgres?sslmode=disable` }, fromSecret('DATA_SOURCE_USER', credentials, 'username'), fromSecret('DATA_SOURCE_PASS', credentials, 'password')]
  }
}
