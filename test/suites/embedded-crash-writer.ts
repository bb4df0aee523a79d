/**
 * The process that storage/embedded/crash.test.ts kills: many writers on one store, each acknowledged write printed at once. Compaction runs all the time.
 * Arguments: the directory, how many writers, and a number that makes keys of this process differ from earlier ones.
 */
import { createHash } from 'node:crypto'
import { writeSync } from 'node:fs'
import type { Revision } from '../../storage/interfaces.js'
import { EmbeddedStorage } from '../../storage/embedded/storage.js'

const [directory = '', writers = '', round = ''] = process.argv.slice(2)

const storage = await EmbeddedStorage.open({ directory, compactionIntervalMs: 0 })
const start = await storage.currentRevision()
const pause = new Int32Array(new SharedArrayBuffer(4))
print('open\n')

/** A value that shows when a part of it is missing or belongs to another write. */
function makeValue (key: string, n: number): Buffer {
  const text = `${key} ${n} ${'x'.repeat((n * 7919) % 5_000)}`
  return Buffer.from(`${createHash('sha1').update(text).digest('hex')} ${text}`)
}

async function write (writer: number): Promise<void> {
  for (let n = 0; ; n++) {
    const key = `/${writer % 4}/${writer}/${round}/${n % 500}`
    const value = makeValue(key, n)
    let { revision } = await storage.create(key, value)
    acknowledge('put', key, revision, value)
    if (n % 3 === 1) {
      const next = makeValue(key, n + 1)
      revision = (await storage.update(key, next, { modRevision: revision })).revision
      acknowledge('put', key, revision, next)
    }
    if (n % 3 === 2 || n >= 250) {
      revision = (await storage.delete(key, { modRevision: revision })).revision
      acknowledge('delete', key, revision)
    }
  }
}

/** One system call for each line, so that a kill loses none that was acknowledged and printed. */
function acknowledge (type: string, key: string, revision: Revision, value?: Buffer): void {
  print(`${type} ${revision} ${key} ${value?.toString('latin1', 0, 40) ?? ''}\n`)
}

/** The pipe does not block: while the test is behind in reading it, this process stands still. A line shorter than PIPE_BUF is written whole. */
function print (line: string): void {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}

/** The test replays from where this process began, so history is kept from there. */
async function compact (): Promise<void> {
  for (let revision = start > 2_000n ? start - 2_000n : 1n; revision <= start; revision += 100n) await storage.compact(revision)
}

await Promise.all([compact(), ...Array.from({ length: Number(writers) }, (_, writer) => write(writer))])
