import { fromSecret, type Engine } from './engine.js'
import { settingsProblem, sorted } from './settings-file.js'
import { compareVersions, numbersOf } from './versions.js'

const port = 27017
/** Releases in their order; a data directory goes one on. */
const releases = ['4.4', '5.0', '6.0', '7.0', '8.0']
const listens = { tcpSocket: { port: 'mongodb' }, periodSeconds: 10, timeoutSeconds: 5 }
// While it initialises, the server is on 127.0.0.1 only, so probes ask at the pod's address. Before 6.0 the shell is `mongo`.
const ping = ['sh', '-c', `exec "$(command -v mongosh || command -v mongo)" --quiet --norc --host "$POD_IP" --port ${port} --eval 'quit(db.adminCommand({ ping: 1 }).ok === 1 ? 0 : 1)'`]

/** https://hub.docker.com/_/mongo. */
export const mongodb: Engine = {
  repository: 'mongo',
  tag: version => version,
  port,
  user: 'root',
  container: credentials => ({
    args: ['--config', '/etc/mongo/mongod.conf', '--bind_ip_all'],
    env: [
      fromSecret('MONGO_INITDB_ROOT_USERNAME', credentials, 'username'), fromSecret('MONGO_INITDB_ROOT_PASSWORD', credentials, 'password'),
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      // Where the shell of the probe keeps its files.
      { name: 'HOME', value: '/tmp' }
    ],
    volumeMounts: [{ name: 'data', mountPath: '/data/db' }, { name: 'config', mountPath: '/etc/mongo', readOnly: true }]
  }),
  probes: {
    startupProbe: { ...listens, failureThreshold: 180 },
    // The shell takes a second to start: not too often.
    readinessProbe: { exec: { command: ping }, periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 3 },
    livenessProbe: { ...listens, failureThreshold: 6 }
  },
  scratch: ['/tmp', '/data/configdb'],

  configFile (settings) {
    const problem = settingsProblem(settings, {
      name: /^[A-Za-z]\w*(\.\w+)+$/,
      reserved: new Set(['storage.dbpath', 'net.port', 'net.bindip', 'net.bindipall', 'processmanagement.fork', 'security.authorization', 'systemlog.destination', 'systemlog.path'])
    })
    if (problem !== undefined) return problem
    const root: Tree = {}
    for (const [path, value] of sorted(settings)) {
      const clash = put(root, path.split('.'), value)
      if (clash) return { reason: 'InvalidConfiguration', message: `spec.configuration[${path}] is a setting and a group of settings at once` }
    }
    return { name: 'mongod.conf', text: yaml(root) || '{}\n' }
  },

  dump: {
    // A password on the command line could be read in the process list.
    script: `umask 077; printf 'password: "%s"\\n' "$MONGO_PASSWORD" > /tmp/mongodump.yaml; mongodump --quiet --config=/tmp/mongodump.yaml --host="$HOST" --port=${port} --username="$MONGO_USERNAME" --authenticationDatabase=admin --archive --gzip`,
    extension: 'archive.gz',
    env: credentials => [fromSecret('MONGO_USERNAME', credentials, 'username'), fromSecret('MONGO_PASSWORD', credentials, 'password')]
  },

  upgradeProblem (from, to) {
    const [before, after] = [from, to].map(v => releases.indexOf(numbersOf(v).slice(0, 2).join('.')))
    if (before === undefined || after === undefined || before < 0 || after < 0) {
      return compareVersions(to.split('.')[0]!, from.split('.')[0]!) < 0 ? `MongoDB does not open the data of a later version: ${to} is older than ${from}` : undefined
    }
    if (after < before) return `MongoDB does not open the data of a later version: ${to} is older than ${from}`
    return after > before + 1 ? `MongoDB ${from} cannot be upgraded to ${to} at once: go to ${releases[before + 1]} first` : undefined
  },

  exporter: {
    image: 'docker.io/percona/mongodb_exporter:0.44.0',
    port: 9216,
    args: ['--mongodb.direct-connect', '--collector.diagnosticdata', `--web.listen-address=:9216`],
    env: credentials => [{ name: 'MONGODB_URI', value: `mongodb://127.0.0.1:${port}/admin` }, fromSecret('MONGODB_USER', credentials, 'username'), fromSecret('MONGODB_PASSWORD', credentials, 'password')]
  }
}

interface Tree { [key: string]: Tree | string }

/** @returns whether the path runs into a value, or ends in a group */
function put (tree: Tree, [key = '', ...rest]: readonly string[], value: string): boolean {
  const present = Object.hasOwn(tree, key) ? tree[key] : undefined
  if (rest.length === 0) {
    tree[key] = value
    return present !== undefined
  }
  if (typeof present === 'string') return true
  return put((tree[key] = present ?? {}) as Tree, rest, value)
}

function yaml (tree: Tree, indent = ''): string {
  return Object.entries(tree).map(([key, value]) =>
    typeof value !== 'string' ? `${indent}${key}:\n${yaml(value, `${indent}  `)}` : `${indent}${key}: ${/^(true|false|-?\d+(\.\d+)?)$/.test(value) ? value : JSON.stringify(value)}\n`).join('')
}
