import { randomBytes } from 'node:crypto'
import { link, mkdtemp, readdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StorageError } from '../errors.js'

/** The shortest limit of the systems we run on for the path of a unix socket: 104 bytes with the final NUL on macOS, 108 on Linux. */
const maxSocketPathBytes = 103

interface Claim {
  readonly pid: number
  readonly socket: string
}

/**
 * The right to be the only user of a directory, held until `release` or until the process ends in whatever way.
 *
 * Node has no file locks, and a pid file goes stale. What the kernel does end with a process is its listening socket, so the holder
 * listens on a unix socket in the directory, and whoever can connect to it knows that the directory is taken: by another process, by
 * this one, or from another container on the same volume (a socket in a file system belongs to no network namespace, and the pid, which
 * may be reused or be 1 in both containers, is only for the message).
 *
 * Taking over from a dead holder must not race with a third process. So nobody ever removes another's claim to take its place: claims are
 * numbered files, `lock.1`, `lock.2`, …, each made by link(2), which is atomic and fails if the name exists. A claim names a socket
 * that was listening before the claim existed and that is never listened on again, so a refused connection means dead for good. The
 * highest number holds; a newcomer that has seen it dead tries the next number, and then looks once more that no higher one exists
 * (it could have been asleep since it last looked). The last claim stays behind after `release` to keep the numbers rising.
 */
export class DirectoryLock {
  readonly #directory: string
  readonly #server: Server
  readonly #socket: string

  private constructor (directory: string, server: Server, socket: string) {
    this.#directory = directory
    this.#server = server
    this.#socket = socket
  }

  /** Takes the directory. @throws StorageError Unavailable if somebody holds it; the message names the directory, the pid and the fix. Other errors are the file system's. */
  static async acquire (directory: string): Promise<DirectoryLock> {
    const id = randomBytes(6).toString('hex')
    const socket = `lock-${id}.sock`
    const server = await listen(directory, socket)
    const lock = new DirectoryLock(directory, server, socket)
    try {
      const draft = join(directory, `lock-${id}.tmp`)
      await writeFile(draft, JSON.stringify({ pid: process.pid, socket } satisfies Claim), { mode: 0o600 })
      try {
        await claim(directory, draft)
      } finally {
        await unlink(draft)
      }
    } catch (error) {
      await lock.release()
      throw error
    }
    return lock
  }

  /** Lets the directory go. */
  async release (): Promise<void> {
    await new Promise<void>(resolve => { this.#server.close(() => { resolve() }) })
    await rm(join(this.#directory, this.#socket), { force: true })
  }
}

async function claim (directory: string, draft: string): Promise<void> {
  for (;;) {
    const claims = await listClaims(directory)
    const last = claims.at(-1) ?? 0
    if (last > 0) {
      const holder = await readClaim(directory, last)
      if (holder !== undefined && await isListening(directory, holder.socket)) {
        const who = holder.pid === process.pid ? `this process (pid ${holder.pid})` : `process ${holder.pid}`
        throw new StorageError('Unavailable', `the directory ${directory} is in use by ${who}: stop it, or give this server a directory of its own; an embedded store has one process at a time`)
      }
    }
    try {
      await link(draft, join(directory, claimName(last + 1)))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw error
    }
    if ((await listClaims(directory)).some(number => number > last + 1)) {
      await rm(join(directory, claimName(last + 1)), { force: true })
      continue
    }
    // The one before stays, so that somebody who is listing the directory right now meets at least one of the two.
    for (const number of claims.slice(0, -1)) {
      const old = await readClaim(directory, number)
      if (old !== undefined) await rm(join(directory, old.socket), { force: true })
      await rm(join(directory, claimName(number)), { force: true })
    }
    return
  }
}

function claimName (number: number): string {
  return `lock.${number}`
}

async function listClaims (directory: string): Promise<number[]> {
  const names = await readdir(directory)
  return names.flatMap(name => /^lock\.[1-9][0-9]*$/.test(name) ? [Number(name.slice(5))] : []).sort((a, b) => a - b)
}

/** A claim that cannot be read is one that a power failure left half written: its holder is gone. */
async function readClaim (directory: string, number: number): Promise<Claim | undefined> {
  try {
    const claim = JSON.parse(await readFile(join(directory, claimName(number)), 'utf8')) as Partial<Claim>
    if (typeof claim.pid === 'number' && typeof claim.socket === 'string' && /^lock-[0-9a-f]+\.sock$/.test(claim.socket)) return { pid: claim.pid, socket: claim.socket }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== undefined && code !== 'ENOENT') throw error
  }
  return undefined
}

async function listen (directory: string, socket: string): Promise<Server> {
  const server = createServer(connection => { connection.destroy() })
  server.unref()
  await throughShortPath(directory, socket, path => new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, exclusive: true }, () => { resolve() })
  }))
  server.on('error', () => { /* A failed accept changes nothing: whoever connected has got the answer already. */ })
  return server
}

/** Whether a process listens on the socket. A full backlog counts as yes, a missing file as no. */
async function isListening (directory: string, socket: string): Promise<boolean> {
  return await throughShortPath(directory, socket, path => new Promise<boolean>((resolve, reject) => {
    const connection = connect({ path })
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ENOTSOCK') resolve(false)
      else if (error.code === 'EAGAIN' || error.code === 'ECONNRESET' || error.code === 'EPIPE') resolve(true)
      else reject(error)
    })
  }))
}

/** Does something with a path to the socket that is short enough for the system, through a symbolic link if need be. */
async function throughShortPath<T> (directory: string, socket: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = join(directory, socket)
  if (Buffer.byteLength(path) <= maxSocketPathBytes) return await use(path)
  const short = await mkdtemp(join(tmpdir(), 'annex-'))
  try {
    await symlink(directory, join(short, 'd'))
    return await use(join(short, 'd', socket))
  } finally {
    await rm(short, { recursive: true, force: true })
  }
}
