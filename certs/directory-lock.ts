import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CertificateError } from './errors.js'

export interface DirectoryLockOptions {
  /** How long to wait for another holder. Default 30 s. */
  readonly timeoutMs?: number | undefined
  /** A lock older than this was left behind, even if its process id is in use again. Default 60 s; work under the lock takes milliseconds. */
  readonly staleAfterMs?: number | undefined
}

/**
 * Runs `work` while no other process, and no other call in this one, runs its own for the same directory. The lock is a file `.lock`
 * that holds its owner's process id; one whose process is gone, or that is old, is taken over.
 * @throws CertificateError Locked after the timeout, naming the file; and whatever `work` throws
 */
export async function withDirectoryLock<T> (directory: string, work: () => Promise<T>, options: DirectoryLockOptions = {}): Promise<T> {
  const file = path.join(directory, '.lock')
  const token = `${process.pid} ${randomBytes(8).toString('hex')}`
  const deadline = Date.now() + (options.timeoutMs ?? 30_000)
  while (!await acquire(directory, file, token)) {
    if (await isStale(file, options.staleAfterMs ?? 60_000)) {
      await takeAway(file)
      continue
    }
    if (Date.now() > deadline) throw new CertificateError('Locked', `${file}: another process has held this lock for too long; if none is running, delete the file`)
    await delay(20)
  }
  try {
    return await work()
  } finally {
    // Only our own: if we were so slow that another took over, the file is that one's.
    if (await readFile(file, 'utf8').catch(() => '') === token) await rm(file, { force: true })
  }
}

// The file appears by `link`, so it is never seen without its content.
async function acquire (directory: string, file: string, token: string): Promise<boolean> {
  const own = path.join(directory, `.lock.${token.replace(' ', '.')}`)
  await writeFile(own, token, { mode: 0o600 })
  try {
    await link(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  } finally {
    await rm(own, { force: true })
  }
}

async function isStale (file: string, staleAfterMs: number): Promise<boolean> {
  const [content, age] = await Promise.all([
    readFile(file, 'utf8').catch(() => undefined),
    stat(file).then(s => Date.now() - s.mtimeMs, () => 0)
  ])
  if (content === undefined) return false
  return age > staleAfterMs || !isRunning(Number.parseInt(content, 10))
}

function isRunning (pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Removes a stale lock. Two may try at once, so the file is first moved aside and put back if it turns out to be a fresh one. */
async function takeAway (file: string): Promise<void> {
  const aside = `${file}.${randomBytes(8).toString('hex')}`
  try {
    await rename(file, aside)
  } catch {
    return
  }
  const content = await readFile(aside, 'utf8').catch(() => '')
  if (isRunning(Number.parseInt(content, 10)) && Date.now() - (await stat(aside)).mtimeMs < 1000) await link(aside, file).catch(() => undefined)
  await rm(aside, { force: true })
}
