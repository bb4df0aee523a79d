#!/usr/bin/env node
// Finds, and where missing builds, the Kubernetes and etcd binaries that the end-to-end tests run: node hack/tools/build.mjs [names…]
// README.md says where they come from. Plain JavaScript, so that it runs before anything is installed.
import { execFileSync, spawnSync } from 'node:child_process'
import { accessSync, constants, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** The Go modules that say which version is built: a folder here, and the module in its go.mod that gives the version. */
const modules = {
  kubernetes: { versionOf: 'k8s.io/kubernetes' },
  etcd: { versionOf: 'go.etcd.io/etcd/server/v3' },
  prometheus: { versionOf: 'github.com/prometheus/prometheus' }
}

/** `minimum` is the oldest version that is taken from elsewhere; a tool that cannot tell its version is only taken from the cache. */
const tools = {
  'kube-apiserver': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-apiserver', minimum: '1.34.0', versionArgs: ['--version'] },
  'kube-controller-manager': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-controller-manager', minimum: '1.34.0', versionArgs: ['--version'] },
  'kube-scheduler': { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kube-scheduler', minimum: '1.34.0', versionArgs: ['--version'] },
  kubectl: { module: 'kubernetes', package: 'k8s.io/kubernetes/cmd/kubectl', minimum: '1.34.0', versionArgs: ['version', '--client', '-o', 'json'] },
  'sample-apiserver': { module: 'kubernetes', package: 'k8s.io/sample-apiserver' },
  // Older ones answer progress requests wrongly, which consistent lists from the watch cache rely on.
  etcd: { module: 'etcd', package: 'go.etcd.io/etcd/server/v3', minimum: '3.5.13', versionArgs: ['--version'] },
  // Not one of the PATH, whose version differs from that of its module (3.7.3 is v0.307.3). It needs no service discovery.
  prometheus: { module: 'prometheus', package: 'github.com/prometheus/prometheus/cmd/prometheus', tags: 'remove_all_sd' }
}

export const toolNames = Object.freeze(Object.keys(tools))

/** Where built tools are kept: outside the tree, keyed by version. */
export const toolsDirectory = () =>
  process.env.ANNEX_TOOLS_DIR || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'annex', 'tools')

/**
 * The tool of a name: from $KUBEBUILDER_ASSETS or the PATH if it is new enough there, else from the cache.
 * @returns the tool, or undefined with `rejected` filled
 */
export function findTool (name, rejected = []) {
  const tool = toolOf(name)
  if (tool.minimum !== undefined) {
    for (const [source, directory] of searchPath()) {
      const path = join(directory, name)
      if (!isExecutable(path)) continue
      const version = versionOf(path, tool.versionArgs)
      if (version !== undefined && !isOlder(version, tool.minimum)) return { name, path, version, source }
      rejected.push(`${path} is ${version ?? 'of an unknown version'}, at least ${tool.minimum} is needed`)
    }
  }
  const path = join(cacheDirectory(tool.module), name)
  return isExecutable(path) ? { name, path, version: moduleVersion(tool.module), source: 'cache' } : undefined
}

/**
 * Builds the tools that findTool does not find, one process at a time on this machine.
 * @throws Error with a message for a person: no Go, a Go that is too old, a failed build
 */
export async function buildTools (names, log = console.log) {
  const missing = () => names.filter(name => findTool(name) === undefined)
  if (missing().length === 0) return
  const modulesOfMissing = new Set(missing().map(name => tools[name].module))
  for (const module of modulesOfMissing) checkGo(module)
  await withLock(toolsDirectory(), log, () => {
    // Somebody may have built them while we waited.
    for (const name of missing()) build(name, log)
  })
}

function build (name, log) {
  const { module, package: goPackage, tags } = tools[name]
  const version = moduleVersion(module)
  const target = join(cacheDirectory(module), name)
  const temporary = `${target}.${process.pid}.tmp`
  mkdirSync(dirname(target), { recursive: true })
  log(`${name} ${version}: building (minutes when nothing is cached)`)
  const began = Date.now()
  const { status, error } = spawnSync('go', ['build', '-trimpath', '-ldflags', linkerFlags(module, version), ...(tags ? ['-tags', tags] : []), '-o', temporary, goPackage], {
    cwd: join(here, module), env: goEnvironment(), stdio: ['ignore', 'inherit', 'inherit']
  })
  if (status !== 0) {
    rmSync(temporary, { force: true })
    throw new Error(`${name} could not be built${error ? `: ${error.message}` : '; the reason is above'}`)
  }
  renameSync(temporary, target)
  log(`${name} ${version}: built in ${Math.round((Date.now() - began) / 1000)} s`)
}

// Without the version, the server would call itself v0.0.0 and kubectl would warn about the skew.
function linkerFlags (module, version) {
  if (module !== 'kubernetes') return '-s -w'
  const [major, minor] = version.split('.')
  const set = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor }
  return ['-s -w', ...Object.entries(set).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`)].join(' ')
}

const goEnvironment = () => ({ ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' })

/** `go version` inside the module switches toolchains if it may, so its answer is the Go that would build. */
function checkGo (module) {
  const needed = /^go (\S+)$/m.exec(goMod(module))?.[1] ?? '1.21'
  const advice = `Building the tools of hack/tools/${module} needs Go ${needed} or newer (https://go.dev/dl). Instead of building, binaries can be given: ` +
    'set KUBEBUILDER_ASSETS to a directory with kube-apiserver, kubectl and etcd, or put them on the PATH.'
  const { stdout, stderr, status, error } = spawnSync('go', ['version'], { cwd: join(here, module), env: goEnvironment(), encoding: 'utf8' })
  if (error?.code === 'ENOENT') throw new Error(`Go was not found on the PATH. ${advice}`)
  const version = /go version go(\d+\.\d+(?:\.\d+)?)/.exec(stdout ?? '')?.[1]
  if (status !== 0 || version === undefined) throw new Error(`Go does not run: ${(stderr || error?.message || stdout || '').trim()}\n${advice}`)
  if (isOlder(version, needed)) throw new Error(`Go ${version} is too old. ${advice}`)
}

/** Runs work while no other process builds. The lock holds its owner's process id; one whose process is gone is taken over. */
async function withLock (directory, log, work) {
  mkdirSync(directory, { recursive: true })
  const lock = join(directory, '.build.lock')
  for (let told = false; !tryLock(lock);) {
    const owner = Number.parseInt(readIfPresent(lock), 10)
    // An empty file is one that is just being written.
    if (Number.isSafeInteger(owner) && !isRunning(owner)) { takeAway(lock, owner); continue }
    if (!told) log(`waiting for another build (process ${owner || 'unknown'}, ${lock})`)
    told = true
    await delay(500)
  }
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function tryLock (lock) {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

/** Of several that see the same stale lock, one moves it away. */
function takeAway (lock, owner) {
  const aside = `${lock}.${process.pid}`
  try {
    renameSync(lock, aside)
  } catch {
    return
  }
  try {
    // It may have become a fresh one since it was read.
    if (Number.parseInt(readIfPresent(aside), 10) !== owner) linkSync(aside, lock)
  } catch {
    // A third one has it now.
  }
  rmSync(aside, { force: true })
}

function isRunning (pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

function toolOf (name) {
  const tool = Object.hasOwn(tools, name) ? tools[name] : undefined
  if (tool === undefined) throw new Error(`there is no tool ${JSON.stringify(name)}; there are ${toolNames.join(', ')}`)
  return tool
}

const cacheDirectory = module => join(toolsDirectory(), `${module}-v${moduleVersion(module)}`)
const goMod = module => readFileSync(join(here, module, 'go.mod'), 'utf8')

function moduleVersion (module) {
  const wanted = modules[module].versionOf
  for (const line of goMod(module).split('\n')) {
    const [name, version] = line.trim().replace(/^require /, '').split(' ')
    if (name === wanted && version?.startsWith('v')) return version.slice(1)
  }
  throw new Error(`hack/tools/${module}/go.mod does not require ${wanted}`)
}

function searchPath () {
  const assets = process.env.KUBEBUILDER_ASSETS
  return [
    ...(assets ? [['KUBEBUILDER_ASSETS', assets]] : []),
    ...(process.env.PATH ?? '').split(delimiter).filter(directory => directory !== '').map(directory => ['PATH', directory])
  ]
}

function isExecutable (path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function versionOf (path, args) {
  try {
    return /\bv?(\d+\.\d+\.\d+)/.exec(execFileSync(path, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 }))?.[1]
  } catch {
    return undefined
  }
}

function isOlder (version, than) {
  const [a, b] = [version, than].map(v => v.split('.').map(Number))
  for (let i = 0; i < 3; i++) if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) < (b[i] ?? 0)
  return false
}

function readIfPresent (file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

async function main (args) {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(`node hack/tools/build.mjs [names…]\n\nFinds or builds the named tools, or all: ${toolNames.join(', ')}`)
    return
  }
  const names = args.length > 0 ? args : toolNames
  for (const name of names) toolOf(name)
  await buildTools(names)
  for (const name of names) {
    const rejected = []
    const tool = findTool(name, rejected)
    console.log(`${name} ${tool.version} from ${tool.source}: ${tool.path}`)
    for (const text of rejected) console.log(`  not used: ${text}`)
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await main(process.argv.slice(2))
  } catch (error) {
    console.error(`hack/tools: ${error.message}`)
    process.exitCode = 1
  }
}
