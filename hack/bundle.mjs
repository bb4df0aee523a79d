#!/usr/bin/env node
// Makes one file of the command line (dist/apiserver/command.cjs) and keeps V8's code for it, as it is after a server has started, beside
// it: part of `npm run build`, after the compiler. The library that others import stays modules.
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { get } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'

const root = fileURLToPath(new URL('..', import.meta.url))
const output = join(root, 'dist/apiserver')
const recording = '--record-code'

/** Modules of packages that look for files beside themselves, and whether that matters here. Any other one stops the build. */
const besideThemselves = [
  { file: /pino\/lib\/transport\.js$|thread-stream\/index\.js$|pino\/lib\/tools\.js$|pino\/pino\.js$/, why: 'log transports in threads, which are not used' },
  { file: /@grpc\/grpc-js\/build\/src\/(channelz|orca)\.js$/, why: 'services that are not offered' },
  { file: /etcd3\/lib\/connection-pool\.js$/, replace: "require('node:path').dirname(require('node:module').createRequire(__filename).resolve('etcd3'))" }
]

const partOfClient = 'part of the client library'

const forOneFile = {
  name: 'for-one-file',
  setup (build) {
    // What is required when it is first needed is in the bundle too.
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({ contents: readFileSync(path, 'utf8').replace('const require = createRequire(import.meta.url)\n', ''), loader: 'ts' }))
    build.onLoad({ filter: /node_modules\/.*\.[cm]?js$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8')
      if (!/\b__dirname\b|\b__filename\b|\bimport\.meta\.(url|dirname|filename)\b/.test(contents)) return undefined
      const known = besideThemselves.find(b => b.file.test(path))
      if (known === undefined) return { errors: [{ text: `${path} looks for files beside itself; say in hack/bundle.mjs what is to be done` }] }
      return known.replace && { contents: contents.replace('${__dirname}', () => '${' + known.replace + '}') }
    })
    // Of the client library a kubeconfig needs one class. What else its two thousand modules do is declare others.
    build.onResolve({ filter: /^@kubernetes\/client-node$/ }, async ({ path, kind, pluginData, ...args }) => {
      if (pluginData === partOfClient) return undefined
      if (kind === 'dynamic-import') return { path, namespace: partOfClient, pluginData: args.resolveDir }
      return { ...await build.resolve(path, { ...args, kind, pluginData: partOfClient }), sideEffects: false }
    })
    build.onLoad({ filter: /.*/, namespace: partOfClient }, ({ pluginData }) => ({ contents: "export { KubeConfig } from '@kubernetes/client-node'", resolveDir: pluginData }))
  }
}

async function bundle () {
  const esbuild = await import('esbuild')
  for (const name of readdirSync(output)) if (name.startsWith('command.v8-')) rmSync(join(output, name))
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['apiserver/command.ts'],
    outfile: 'dist/apiserver/command.cjs',
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    charset: 'ascii',
    legalComments: 'none',
    // Code that is kept cannot import; what is required from inside the bundle is as lazy.
    supported: { 'dynamic-import': false },
    external: ['lmdb'], // a native library
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "(function (module, require, __filename) { const moduleUrl = require('node:url').pathToFileURL(__filename).href" },
    footer: { js: '})' },
    plugins: [forOneFile],
    logLevel: 'warning'
  })
}

/** Starts a server on an empty store as any user does, and keeps the code that this took. */
async function record () {
  const { openCompiledCommand } = await import('../dist/apiserver/compiled-command.js')
  const command = openCompiledCommand()
  const directory = await mkdtemp(join(tmpdir(), 'annex-build-'))
  try {
    const port = await freePort()
    const ended = command.exports.run(['apiserver', `--data-dir=${directory}`, '--bind-address=127.0.0.1', `--secure-port=${port}`])
    for (const until = Date.now() + 60_000; await status(port) !== 200 || process.listenerCount('SIGTERM') === 0;) {
      if (Date.now() > until) throw new Error('the server did not become ready')
      await new Promise(resolve => { setTimeout(resolve, 10) })
    }
    // V8 takes code of its own flags only, and the server sets this one after its code has been read (apiserver/young-generation.ts).
    setFlagsFromString('--semi-space-growth-factor=2')
    writeFileSync(`${command.codeFile}.new`, command.code())
    renameSync(`${command.codeFile}.new`, command.codeFile)
    process.kill(process.pid, 'SIGTERM')
    const code = await ended
    if (code !== 0) throw new Error(`the server ended with ${code}`)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

const status = port => new Promise(resolve => {
  get({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, agent: false }, answer => { answer.resume().on('end', () => { resolve(answer.statusCode) }) }).on('error', () => { resolve(0) })
})

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer().on('error', reject).listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => { resolve(port) })
  })
})

if (process.argv[2] === recording) await record()
else {
  await bundle()
  // In a process of its own, because a server writes to its standard output.
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), recording], { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', text => { errors += text })
  const code = await new Promise(resolve => { child.once('close', resolve) })
  if (code !== 0) {
    process.stderr.write(`hack/bundle.mjs: a server of the bundle did not start:\n${errors}`)
    process.exitCode = 1
  }
}
