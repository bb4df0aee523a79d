import { execFileSync, spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compileStorage } from '../../test/suites/compiled-storage.js'
import { EmbeddedStorage } from './storage.js'

interface Report {
  readonly acknowledged: string[]
  readonly failures: Record<string, number>
  readonly listed: string[]
  readonly revision: string
  readonly unhandled: string[]
  readonly health: string
  readonly again: string
}

/** Writes until there is no room, then deletes everything and compacts, and writes again. */
const script = (storage: string, directory: string): string => `
  import { EmbeddedStorage } from ${JSON.stringify(storage)}
  const unhandled = []
  process.on('unhandledRejection', error => unhandled.push(String(error)))
  process.on('SIGXFSZ', () => {})
  const storage = await EmbeddedStorage.open({ directory: ${JSON.stringify(directory)}, compactionIntervalMs: 0 })
  const acknowledged = []
  const failures = {}
  for (let round = 0; round < 30; round++) {
    await Promise.all(Array.from({ length: 10 }, async (_, i) => {
      const key = '/k/' + round + '/' + i
      try {
        acknowledged.push(key + ' ' + (await storage.create(key, Buffer.alloc(20_000, 'x'))).revision)
      } catch (error) {
        failures[error.code] = (failures[error.code] ?? 0) + 1
      }
    }))
  }
  const listed = (await storage.list('/')).items.map(item => item.key + ' ' + item.modRevision)
  const revision = String(await storage.currentRevision())
  await new Promise(resolve => setTimeout(resolve, 50))
  const { items } = await storage.list('/')
  for (const { key, modRevision } of items.slice(0, -1)) await storage.delete(key, { modRevision })
  await storage.compact(await storage.currentRevision())
  const health = await storage.health().then(() => 'healthy', error => error.message)
  const again = await storage.create('/again', Buffer.alloc(20_000, 'x')).then(() => 'written', error => error.message)
  await storage.close()
  console.log(JSON.stringify({ acknowledged, failures, listed, revision, unhandled, health, again }))`

async function run (command: string, args: readonly string[]): Promise<Report> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.on('data', (data: Buffer) => { output += data.toString() })
  child.stderr.on('data', (data: Buffer) => { errors += data.toString() })
  await new Promise(resolve => child.once('close', resolve))
  try {
    return JSON.parse(output) as Report
  } catch {
    throw new Error(`the process said "${output}" and "${errors.slice(-2_000)}"`)
  }
}

function check (t: Test, { acknowledged, failures, listed, revision, unhandled, health, again }: Report): void {
  t.ok(acknowledged.length >= 20, 'some writes had room')
  t.ok(Object.values(failures).reduce((a, b) => a + b, 0) > 50, 'most had none')
  t.same(unhandled, [], 'no rejection is left unhandled')
  t.same([...acknowledged].sort(), [...listed].sort(), 'what was acknowledged is there, and nothing that was refused')
  t.equal(revision, `${acknowledged.length + 1}`, 'a refused write takes no revision')
  t.equal(health, 'healthy')
  t.equal(again, 'written')
}

t.test('a store whose file may not grow any more refuses writes, loses nothing and takes writes again', async t => {
  const code = await compileStorage(join(t.testdir(), 'code'))
  const directory = join(t.testdirName, 'store')
  const storage = join(code, 'storage/embedded/storage.js')
  const report = await run('/bin/sh', ['-c', 'ulimit -f 6000; exec "$0" --input-type=module -e "$1"', process.execPath, script(storage, directory)])
  check(t, report)
  t.same(Object.keys(report.failures).filter(code => code !== 'NoSpace' && code !== 'Unavailable'), [], 'the refused writes did not happen')
  const reopened = await EmbeddedStorage.open({ directory })
  t.teardown(async () => { await reopened.close() })
  t.same((await reopened.list('/')).items.map(item => item.key).length, 2)
  await reopened.create('/more', Buffer.alloc(1_000_000))
})

const canMount = process.platform === 'linux' && process.geteuid?.() === 0
t.test('a full disk is NoSpace, and the store takes writes again when it has room', { skip: canMount ? false : 'mounting a small file system needs root on Linux' }, async t => {
  const code = await compileStorage(join(t.testdir(), 'code'))
  const directory = join(t.testdirName, 'small')
  await mkdir(directory)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', directory])
  try {
    const report = await run(process.execPath, ['--input-type=module', '-e', script(join(code, 'storage/embedded/storage.js'), directory)])
    check(t, report)
    t.same(Object.keys(report.failures), ['NoSpace'])
  } finally {
    execFileSync('umount', [directory])
  }
})
