import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { KeyPair } from '../../../certs/key-pair.js'
import { ApiClient } from '../../../test/fixtures/control-plane-client.js'
import type { ControlPlane } from '../../../test/fixtures/control-plane.js'
import type { ServerProcess } from '../../../test/fixtures/control-plane-process.js'
import { freePorts } from '../../../test/fixtures/free-ports.js'
import { findTool } from '../../tools/build.mjs'

export type ServerName = 'go' | 'etcd' | 'embedded'

/** One of the servers that are compared. */
export interface BenchServer {
  /** `go`: sample-apiserver; `etcd` and `embedded`: ours on that store. */
  readonly name: ServerName
  readonly url: string
  readonly process: ServerProcess
  /** The client that every server takes for an administrator. */
  readonly admin: KeyPair
  /** Starts the process if it does not run; resolves when it serves. Answers how many milliseconds that took. */
  start (): Promise<number>
}

export interface ServerOptions {
  readonly controlPlane: ControlPlane
  /** Client URL of the etcd that is only theirs. */
  readonly etcd: string
  /** Distinguishes servers of one name. */
  readonly label?: string
  /** Where the server's objects are in etcd, or its directory: an existing one is used as it is. */
  readonly store?: string
}

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Starts the etcd whose work is counted apart from the control plane's. */
export async function startBenchEtcd (controlPlane: ControlPlane): Promise<{ url: string; process: ServerProcess }> {
  const [port = 0, peer = 0] = await freePorts(2)
  const url = `http://127.0.0.1:${port}`
  const dataDir = join(controlPlane.directory, 'bench-etcd')
  const etcd = controlPlane.process('bench-etcd', tool('etcd'), [
    '--data-dir', dataDir, '--name', 'default', '--listen-client-urls', url, '--advertise-client-urls', url, '--quota-backend-bytes', String(8 * 2 ** 30),
    '--listen-peer-urls', `http://127.0.0.1:${peer}`, '--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`, '--initial-cluster', `default=http://127.0.0.1:${peer}`, '--log-level', 'error'
  ])
  await etcd.until('to become healthy', async () => (await fetch(`${url}/health`)).ok)
  return { url, process: etcd }
}

/** The Go server: sample-apiserver with its defaults, joined to the control plane. */
export async function goServer ({ controlPlane, etcd, label = '', store = '/registry/wardle.example.com' }: ServerOptions): Promise<BenchServer> {
  const { kubeconfig } = controlPlane.admin
  return server('go', controlPlane, label, port => [tool('sample-apiserver'), [
    `--secure-port=${port}`, '--bind-address=127.0.0.1', `--etcd-servers=${etcd}`, `--etcd-prefix=${store}`, ...servingPair(controlPlane), `--client-ca-file=${controlPlane.pki.caFile}`,
    `--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`, `--authorization-kubeconfig=${kubeconfig}`
  ]])
}

/** Ours on the same etcd, joined to the same control plane, so that admission and authorization have the same to do. */
export async function etcdServer ({ controlPlane, etcd, label = '', store = '/annex' }: ServerOptions): Promise<BenchServer> {
  const { kubeconfig } = controlPlane.admin
  return server('etcd', controlPlane, label, port => annex(controlPlane, label, port, [
    `--etcd-servers=${etcd}`, `--etcd-prefix=${store}`, `--kubeconfig=${kubeconfig}`, `--authentication-kubeconfig=${kubeconfig}`, `--authorization-kubeconfig=${kubeconfig}`
  ]))
}

/** Ours alone: no etcd, no cluster. */
export async function embeddedServer ({ controlPlane, label = '', store }: ServerOptions): Promise<BenchServer> {
  return server('embedded', controlPlane, label, port => annex(controlPlane, label, port, [], store))
}

function annex (controlPlane: ControlPlane, label: string, port: number, flags: readonly string[], dataDir = join(controlPlane.directory, `annex${label}-${port}`)): [string, string[]] {
  mkdirSync(dataDir, { recursive: true })
  const profile = process.env['ANNEX_BENCH_NODE_OPTIONS']?.split(' ') ?? []
  return [process.execPath, [
    ...profile, join(root, 'dist/apiserver/main.js'), 'apiserver', `--secure-port=${port}`, `--data-dir=${dataDir}`, ...servingPair(controlPlane), `--client-ca-file=${controlPlane.pki.caFile}`,
    `--crd-file=${fileURLToPath(new URL('flunders.yaml', import.meta.url))}`, ...flags
  ]]
}

async function server (name: ServerName, controlPlane: ControlPlane, label: string, command: (port: number) => [string, string[]]): Promise<BenchServer> {
  const [port = 0] = await freePorts(1)
  const url = `https://127.0.0.1:${port}`
  const [path, args] = command(port)
  let started: ServerProcess | undefined
  const { admin } = controlPlane
  return {
    name, url, admin,
    get process () { return started! },
    start: async () => {
      const began = performance.now()
      if (started === undefined) started = controlPlane.process(`bench-${name}${label}-${port}`, path, args)
      else started.start()
      await ready(url, started, controlPlane.pki.ca.certificatePem)
      return performance.now() - began
    }
  }
}

/** Asks every few milliseconds, so that the answer tells when it became ready. */
async function ready (url: string, process: ServerProcess, certificateAuthorityPem: string): Promise<void> {
  for (const until = performance.now() + 120_000; ;) {
    const client = new ApiClient({ server: url, certificateAuthorityPem })
    const status = await client.request('GET', '/readyz', { timeoutMs: 10_000 }).then(answer => answer.status, () => 0)
    client.close()
    if (status === 200) return
    if (!process.running || performance.now() > until) throw new Error(`${process.name} did not become ready:\n${process.log().slice(-2000)}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}

const servingPair = ({ pki }: ControlPlane): string[] => [`--tls-cert-file=${pki.serving.certificateFile}`, `--tls-private-key-file=${pki.serving.keyFile}`]

function tool (name: 'etcd' | 'sample-apiserver'): string {
  const found = findTool(name)
  if (found === undefined) throw new Error(`${name} was not found; build it with: node hack/tools/build.mjs ${name}`)
  return found.path
}
