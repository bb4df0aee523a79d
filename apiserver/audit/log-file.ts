import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'

export interface LogFileOptions {
  readonly path: string
  /** Rotate before the file grows beyond so many bytes; 0 never rotates. */
  readonly maxSizeBytes: number
  /** Keep so many rotated files; 0 keeps all. */
  readonly maxBackups: number
  /** Remove rotated files older than this; 0 keeps all. */
  readonly maxAgeDays: number
  readonly now?: (() => number) | undefined
}

/**
 * A file that is renamed to `<name>-<UTC time>.<ext>` when it gets too large, as kube-apiserver's log writer (lumberjack) names them, so
 * that the same log shippers find them. An existing file is continued. Not for concurrent use: one writer, one call at a time.
 */
export class RotatingLogFile {
  readonly #options: LogFileOptions
  readonly #now: () => number
  #handle: FileHandle | undefined
  #size = 0
  #lastBackup = 0

  constructor (options: LogFileOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Opens the file for appending, so that a bad path shows at the start. @throws the error of the file system */
  async open (): Promise<void> {
    this.#handle = await open(this.#options.path, 'a', 0o600)
    this.#size = (await this.#handle.stat()).size
  }

  /** Appends whole lines. A failed open is tried again at the next call. @throws the error of the file system; then nothing or a part was written */
  async append (lines: readonly string[]): Promise<void> {
    let batch: Buffer[] = []
    let bytes = 0
    for (const line of lines) {
      const buffer = Buffer.from(line)
      const { maxSizeBytes } = this.#options
      if (maxSizeBytes > 0 && this.#size + bytes > 0 && this.#size + bytes + buffer.length > maxSizeBytes) {
        await this.#flush(batch, bytes)
        batch = []
        bytes = 0
        await this.#rotate()
      }
      batch.push(buffer)
      bytes += buffer.length
    }
    await this.#flush(batch, bytes)
  }

  async close (): Promise<void> {
    const handle = this.#handle
    this.#handle = undefined
    await handle?.close()
  }

  async #flush (batch: readonly Buffer[], bytes: number): Promise<void> {
    if (bytes === 0) return
    if (this.#handle === undefined) await this.open()
    await this.#handle!.appendFile(Buffer.concat(batch, bytes))
    this.#size += bytes
  }

  async #rotate (): Promise<void> {
    await this.close()
    await rename(this.#options.path, await this.#backupName())
    await this.open()
    await this.#prune()
  }

  async #backupName (): Promise<string> {
    // Two rotations within a millisecond must not overwrite each other, nor a later one take the name of a file that has been removed:
    // it would count as the oldest.
    for (let time = Math.max(this.#now(), this.#lastBackup + 1); ; time++) {
      const name = path.join(path.dirname(this.#options.path), this.#prefix + backupTime(time) + path.extname(this.#options.path))
      if (await stat(name).then(() => true, () => false)) continue
      this.#lastBackup = time
      return name
    }
  }

  get #prefix (): string { return path.basename(this.#options.path, path.extname(this.#options.path)) + '-' }

  async #prune (): Promise<void> {
    const { maxBackups, maxAgeDays } = this.#options
    if (maxBackups === 0 && maxAgeDays === 0) return
    const directory = path.dirname(this.#options.path)
    const backups = (await readdir(directory)).flatMap(name => {
      const time = this.#timeOf(name)
      return time === undefined ? [] : [{ name, time }]
    }).sort((a, b) => b.time - a.time)
    const oldest = maxAgeDays === 0 ? -Infinity : this.#now() - maxAgeDays * 24 * 60 * 60 * 1000
    const doomed = backups.filter((b, i) => b.time < oldest || (maxBackups > 0 && i >= maxBackups))
    // A file that cannot be removed is tried again at the next rotation.
    await Promise.all(doomed.map(b => rm(path.join(directory, b.name), { force: true }).catch(() => undefined)))
  }

  #timeOf (name: string): number | undefined {
    const extension = path.extname(this.#options.path)
    if (!name.startsWith(this.#prefix) || !name.endsWith(extension)) return undefined
    const match = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(name.slice(this.#prefix.length, name.length - extension.length))
    return match === null ? undefined : Date.parse(`${match[1]}${match[2]}:${match[3]}:${match[4]}Z`)
  }
}

/** `2006-01-02T15-04-05.000`, which is allowed in file names everywhere. */
const backupTime = (ms: number): string => new Date(ms).toISOString().slice(0, -1).replaceAll(':', '-')
