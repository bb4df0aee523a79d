import { chmod, mkdir, open as openFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database, RootDatabase } from 'lmdb'
import { StorageError } from '../errors.js'
import { asError } from './errors.js'

/** A table of LMDB with bytes for keys and values. */
export type Table = Database<Buffer, Buffer>

/** The tables of a store; `tables.ts` says what is in them. */
export interface OpenDatabase {
  readonly root: RootDatabase<Buffer, Buffer>
  readonly current: Table
  readonly dead: Table
  readonly history: Table
  readonly log: Table
  readonly meta: Table
  /** The data file, for its size. */
  readonly path: string
}

/** Address space for the map at the start; it costs no memory or disk, and LMDB enlarges it when the data outgrows it. */
const defaultMapSize = 1 << 30

/** LMDB's stamp on its first page, and the two places where a version of its format has it. */
const magic = 0xbeefc0de
const magicOffsets = [16, 24]

/**
 * `overlappingSync: false` makes LMDB answer a write when it is on the disk. Everything is written in explicit batches, so LMDB need not
 * gather the writes of a turn: it would do so with a promise of its own that nobody handles when a commit fails. It starts a transaction when a
 * batch is complete, not after so many writes of it: its thread would have to wait for the rest.
 */
const writing = { overlappingSync: false, eventTurnBatching: false, txnStartThreshold: Number.MAX_SAFE_INTEGER }

const format = Buffer.from('annex-embedded-1')
const formatKey = Buffer.from('format')

/** Makes the directory if it is missing (0700). @throws StorageError Unavailable, naming the path and the fix */
export async function makeDirectory (directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw unusableError(directory, error)
  }
}

/**
 * Opens or makes the database in a directory that this process holds. Files are made 0600, and are durable once this resolves.
 * @throws StorageError Unavailable, naming the path and the fix
 */
export async function openDatabase (directory: string, mapSize: number = defaultMapSize): Promise<OpenDatabase> {
  const path = join(directory, 'data.mdb')
  let root: RootDatabase<Buffer, Buffer> | undefined
  try {
    // Made here, because LMDB would make them readable by everybody.
    await makeFile(path)
    await makeFile(`${path}-lock`)
    await checkFile(path)
    const { open } = await import('lmdb')
    const encoding = { encoding: 'binary', keyEncoding: 'binary' } as const
    root = open<Buffer, Buffer>({ ...writing, path, noSubdir: true, mapSize, maxDbs: 8, ...encoding })
    const opened = root
    const table = (name: string): Table => opened.openDB<Buffer, Buffer>({ name, ...encoding })
    const meta = table('meta')
    const found = meta.get(formatKey)
    if (found === undefined) await meta.put(formatKey, format)
    else if (!format.equals(found)) throw new Error(`it has the format ${JSON.stringify(found.toString())}, and this version reads ${JSON.stringify(format.toString())}`)
    const database = { root, meta, current: table('current'), dead: table('dead'), history: table('history'), log: table('log'), path }
    await syncDirectory(directory)
    return database
  } catch (error) {
    await root?.close()
    throw error instanceof StorageError ? error : unusableError(path, error)
  }
}

async function makeFile (path: string): Promise<void> {
  const file = await openFile(path, 'a', 0o600)
  await file.close()
  await chmod(path, 0o600)
}

/** Refuses a file that LMDB did not write or that was cut off: opening it could end the process instead of raising an error. */
async function checkFile (path: string): Promise<void> {
  const file = await openFile(path, 'r')
  try {
    const { size } = await file.stat()
    if (size === 0) return
    const page = await readStart(file)
    const at = magicOffsets.find(offset => page.length >= offset + 152 && page.readUInt32LE(offset) === magic)
    if (at === undefined) throw new Error('it is not a database of this store')
    const pageSize = page.readUInt32LE(at + 24)
    if (size < 2 * pageSize) throw new Error(`it was cut off at ${size} bytes`)
  } finally {
    await file.close()
  }
}

async function readStart (file: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0)
  return buffer.subarray(0, bytesRead)
}

/** Makes new names in the directory survive a power failure. */
async function syncDirectory (directory: string): Promise<void> {
  const handle = await openFile(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** What went wrong with a path, as the error that `open` rejects with. */
export function unusableError (path: string, error: unknown): StorageError {
  const { code, message } = asError(error) as NodeJS.ErrnoException
  const fixes: Record<string, string> = {
    EACCES: `give user ${process.getuid?.() ?? 'of this process'} read and write access to it`,
    EPERM: `give user ${process.getuid?.() ?? 'of this process'} read and write access to it, on a file system with unix sockets and links`,
    EROFS: 'mount it for writing',
    ENOTDIR: 'a part of the path is a file: choose another directory',
    EEXIST: 'a file is in the way: choose another directory',
    ENOSPC: 'free some space on its file system',
    EDQUOT: 'raise the quota of its owner'
  }
  const fix = fixes[code ?? ''] ?? 'restore the directory from a backup, or move it away to begin with an empty store'
  return new StorageError('Unavailable', `the embedded store cannot use ${path}: ${message}; ${fix}`, { cause: error })
}
