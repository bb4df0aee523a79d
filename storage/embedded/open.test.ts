import { spawn, type ChildProcess } from 'node:child_process'
import { chmod, mkdir, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compileStorage } from '../../test/suites/compiled-storage.js'
import { failure } from '../../test/suites/storage-under-test.js'
import { DirectoryLock } from './directory-lock.js'
import { EmbeddedStorage } from './storage.js'

async function open (t: Test, directory: string): Promise<EmbeddedStorage> {
  const storage = await EmbeddedStorage.open({ directory, compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  return storage
}

/** A process that opens the store, says so, and stays; or says why it cannot. */
async function start (t: Test, code: string, directory: string): Promise<{ child: ChildProcess, said: string }> {
  const script = `
    import { EmbeddedStorage } from ${JSON.stringify(join(code, 'storage/embedded/storage.js'))}
    try {
      const storage = await EmbeddedStorage.open({ directory: ${JSON.stringify(directory)} })
      await storage.create('/by/' + process.pid, Buffer.from('x'))
      console.log('opened')
      setInterval(() => {}, 1_000)
    } catch (error) {
      console.log(error.code + ' ' + error.message)
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const said = await new Promise<string>(resolve => child.stdout.once('data', (data: Buffer) => { resolve(data.toString().trim()) }))
  return { child, said }
}

async function kill (child: ChildProcess): Promise<void> {
  const end = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await end
}

t.test('an empty store is at revision 1, its first write gets 2, and both survive a restart', async t => {
  const directory = t.testdir()
  const first = await open(t, directory)
  t.equal(await first.currentRevision(), 1n)
  t.same(await first.create('/a', Buffer.from('one')), { revision: 2n })
  await first.close()
  const second = await open(t, directory)
  t.equal(await second.currentRevision(), 2n)
  t.same(await second.update('/a', Buffer.from('two'), { modRevision: 2n }), { revision: 3n })
  t.equal((await second.get('/a', { revision: 2n })).value?.value.toString(), 'one')
  await second.close()
  const third = await open(t, directory)
  const events: string[] = []
  for await (const batch of third.watch('/', { afterRevision: 1n })) {
    events.push(...batch.events.map(event => `${event.type} ${event.modRevision}`))
    if (events.length === 2) break
  }
  t.same(events, ['put 2', 'put 3'])
})

t.test('the directory is made for its owner only, and so are the files', async t => {
  const directory = join(t.testdir(), 'made', 'here')
  await open(t, directory)
  t.equal((await stat(directory)).mode & 0o777, 0o700)
  for (const name of await readdir(directory)) {
    const { mode } = await stat(join(directory, name))
    if (name.endsWith('.mdb') || name.endsWith('-lock') || name.startsWith('lock.')) t.equal(mode & 0o777, 0o600, name)
  }
})

t.test('a second open in the same process fails, and works after close', async t => {
  const directory = t.testdir()
  const storage = await open(t, directory)
  const error = await failure(EmbeddedStorage.open({ directory }), 'Unavailable')
  t.match(error.message, `the directory ${directory} is in use by this process (pid ${process.pid}): stop it`)
  await storage.create('/a', Buffer.from('x'))
  await storage.close()
  t.equal((await (await open(t, directory)).list('/')).items.length, 1)
})

t.test('of many opens at the same time exactly one succeeds, again and again', async t => {
  const directory = t.testdir()
  for (let round = 0; round < 5; round++) {
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => DirectoryLock.acquire(directory)))
    const locks = outcomes.flatMap(outcome => outcome.status === 'fulfilled' ? [outcome.value] : [])
    t.equal(locks.length, 1)
    await locks[0]?.release()
  }
  const left = await readdir(directory)
  t.ok(left.length <= 2 && left.every(name => /^lock\.\d+$/.test(name)), `what stays behind: ${left.join(' ')}`)
})

t.test('another process is refused with the pid that holds the directory, and takes over when that is killed', async t => {
  const code = await compileStorage(join(t.testdir(), 'code'))
  const directory = join(t.testdirName, 'store')
  const first = await start(t, code, directory)
  t.equal(first.said, 'opened')
  const refused = await start(t, code, directory)
  t.match(refused.said, `Unavailable the directory ${directory} is in use by process ${first.child.pid}: stop it`)
  const error = await failure(EmbeddedStorage.open({ directory }), 'Unavailable')
  t.match(error.message, `process ${first.child.pid}`)
  await kill(first.child)
  const second = await start(t, code, directory)
  t.equal(second.said, 'opened')
  await kill(second.child)
  // A claim that names a living process which does not hold the directory: the pid was used again.
  const claims = (await readdir(directory)).filter(name => /^lock\.\d+$/.test(name)).map(name => Number(name.slice(5)))
  await writeFile(join(directory, `lock.${Math.max(...claims) + 1}`), JSON.stringify({ pid: process.pid, socket: 'lock-000000000000.sock' }))
  const storage = await open(t, directory)
  t.equal((await storage.list('/by/')).items.length, 2)
})

t.test('a directory with a very long path can be used and is protected', async t => {
  const directory = join(t.testdir(), 'd'.repeat(120), 'e'.repeat(120))
  const storage = await open(t, directory)
  await storage.create('/a', Buffer.from('x'))
  await failure(EmbeddedStorage.open({ directory }), 'Unavailable')
  await storage.close()
  await open(t, directory)
})

t.test('what cannot be opened fails with a message that names the path and the fix', async t => {
  const table: Array<{ name: string, prepare: (directory: string) => Promise<string>, message: RegExp }> = [
    {
      name: 'a file that is no database',
      prepare: async directory => {
        await writeFile(join(directory, 'data.mdb'), 'hello '.repeat(10_000))
        return directory
      },
      message: /cannot use .*data\.mdb: it is not a database of this store; restore .* or move it away/
    },
    {
      name: 'a database that was cut off',
      prepare: async directory => {
        const storage = await EmbeddedStorage.open({ directory })
        await storage.create('/a', Buffer.alloc(100_000))
        await storage.close()
        await truncate(join(directory, 'data.mdb'), 5_000)
        return directory
      },
      message: /cannot use .*data\.mdb: it was cut off at 5000 bytes; restore/
    },
    {
      name: 'a first page that was overwritten',
      prepare: async directory => {
        const storage = await EmbeddedStorage.open({ directory })
        await storage.close()
        await writeFile(join(directory, 'data.mdb'), Buffer.alloc(8_192), { flag: 'r+' })
        return directory
      },
      message: /cannot use .*data\.mdb: it is not a database/
    },
    {
      name: 'a directory in place of the file',
      prepare: async directory => {
        await mkdir(join(directory, 'data.mdb'))
        return directory
      },
      message: /cannot use .*data\.mdb: EISDIR/
    },
    {
      name: 'a path through a file',
      prepare: async directory => {
        await writeFile(join(directory, 'file'), '')
        return join(directory, 'file', 'store')
      },
      message: /cannot use .*file.store: ENOTDIR.*choose another directory/
    },
    {
      name: 'a file in place of the directory',
      prepare: async directory => {
        await writeFile(join(directory, 'file'), '')
        return join(directory, 'file')
      },
      message: /cannot use .*file: EEXIST.*choose another directory/
    }
  ]
  for (const { name, prepare, message } of table) {
    await t.test(name, async t => {
      const directory = await prepare(t.testdir())
      const error = await failure(EmbeddedStorage.open({ directory }), 'Unavailable')
      t.match(error.message, message)
      t.ok(error.message.includes(directory))
      t.match((await failure(EmbeddedStorage.open({ directory }), 'Unavailable')).message, message, 'the failed open has let the directory go')
    })
  }
})

t.test('a directory that may not be read fails with a message that names it and the fix', async t => {
  const directory = t.testdir({ store: {} })
  // Root may read everything, so it gives that up for a moment.
  const isRoot = process.geteuid?.() === 0
  await chmod(directory, isRoot ? 0o700 : 0o000)
  if (isRoot) process.seteuid?.(65_534)
  try {
    const error = await failure(EmbeddedStorage.open({ directory: join(directory, 'store') }), 'Unavailable')
    t.match(error.message, /cannot use .*store: EACCES.*give user \d+ read and write access to it/)
  } finally {
    if (isRoot) process.seteuid?.(0)
    await chmod(directory, 0o700)
  }
})

t.test('keys that the store cannot hold are refused', async t => {
  const storage = await open(t, t.testdir())
  await failure(storage.create('', Buffer.from('x')), 'TooLarge')
  await failure(storage.create('k'.repeat(3_000), Buffer.from('x')), 'TooLarge')
  const key = `/${'é'.repeat(980)}`
  const { revision } = await storage.create(key, Buffer.from('x'))
  await storage.update(key, Buffer.from('y'), { modRevision: revision })
  t.equal((await storage.get(key, { revision })).value?.value.toString(), 'x')
  await storage.compact(revision + 1n)
  t.equal((await storage.get(key)).value?.value.toString(), 'y')
})
