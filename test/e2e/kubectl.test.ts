import { spawn, execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startServer } from '../fixtures/server.js'

/** Two shell scripts that a person can run too, against a server with the embedded store. */
const scripts = ['kubectl.sh', 'kubectl-apply.sh']
const kubectl = process.env['KUBECTL'] ?? 'kubectl'

/** The client's version, or undefined without a client. */
function kubectlVersion (): [number, number] | undefined {
  try {
    const { clientVersion: { major, minor } } = JSON.parse(execFileSync(kubectl, ['version', '--client', '-o', 'json'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as { clientVersion: { major: string; minor: string } }
    return [Number.parseInt(major), Number.parseInt(minor)]
  } catch {
    return undefined
  }
}

async function run (script: string, env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const child = spawn('bash', [fileURLToPath(new URL(script, import.meta.url))], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString() })
  const code = await new Promise<number | null>(resolve => { child.once('close', resolve) })
  return { code, output }
}

const version = kubectlVersion()
const skip = version === undefined
  ? `NOT RUN, there is no ${kubectl}: install kubectl 1.32 or later, or set KUBECTL`
  : version[0] === 1 && version[1] < 32 && `NOT RUN, kubectl ${version.join('.')} is older than 1.32; set KUBECTL to a newer one`
if (skip) process.stderr.write(`kubectl: ${skip}\n`)

t.setTimeout(240_000)

t.test('stock kubectl works with every kind', { skip }, async t => {
  const server = await startServer(t)
  const home = t.testdir()
  await Promise.all(scripts.map(async script => {
    const { code, output } = await run(script, { KUBECONFIG: server.kubeconfig, HOME: home })
    t.match(output, new RegExp(`^${script}: \\d+ checks passed$`, 'm'), `${script}\n${output}`)
    t.equal(code, 0)
  }))
})
