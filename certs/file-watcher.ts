import { watch, type FSWatcher } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

/** What each file held at one reading; undefined where it could not be read. */
export type FileContents = ReadonlyMap<string, string | undefined>

export interface FileWatcherOptions {
  readonly files: readonly string[]
  /** Called with the new contents when at least one file differs from the last call (or from the start). Calls never overlap. */
  readonly onChange: (contents: FileContents) => void | Promise<void>
  /** An onChange that throws; the watcher goes on. */
  readonly onError: (error: unknown) => void
  /** How often the files are read even without a notification. Default 30 s. */
  readonly pollIntervalMs?: number | undefined
  /** How long to wait after a notification, so that a writer can finish. Default 100 ms. */
  readonly settleMs?: number | undefined
}

/**
 * Watches some files by content. The directories are watched, not the files, so that replaced files and the `..data` link of a mounted
 * Kubernetes Secret or ConfigMap are seen; because notifications are missed on some file systems the files are also read at an interval.
 */
export class FileWatcher {
  readonly #options: FileWatcherOptions
  readonly #watchers: FSWatcher[] = []
  #last: FileContents = new Map()
  #settling: NodeJS.Timeout | undefined
  #poll: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor (options: FileWatcherOptions) {
    this.#options = options
  }

  /** Reads the files once and begins to watch. @returns what they held, without calling onChange for it */
  async start (): Promise<FileContents> {
    // Watching begins before reading, so that no change falls in between.
    for (const directory of new Set(this.#options.files.map(file => path.dirname(path.resolve(file))))) this.#watchDirectory(directory)
    this.#last = await this.#read()
    this.#poll = setInterval(() => this.#soon(0), this.#options.pollIntervalMs ?? 30_000).unref()
    return this.#last
  }

  /** Reads the files now. Resolves when a change that was there at the call has been handed over. */
  async check (): Promise<void> {
    if (this.#closed) return
    if (this.#running !== undefined) {
      this.#again = true
      return await this.#running
    }
    this.#running = this.#run()
    await this.#running
  }

  /** Stops. No call of onChange begins after this resolves. */
  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#settling)
    clearInterval(this.#poll)
    for (const watcher of this.#watchers) watcher.close()
    await this.#running
  }

  async #run (): Promise<void> {
    try {
      do {
        this.#again = false
        const contents = await this.#read()
        if (this.#closed || this.#options.files.every(file => contents.get(file) === this.#last.get(file))) continue
        this.#last = contents
        await this.#options.onChange(contents)
      } while (this.#again && !this.#closed)
    } catch (error) {
      this.#options.onError(error)
    } finally {
      this.#running = undefined
    }
  }

  async #read (): Promise<FileContents> {
    const texts = await Promise.all(this.#options.files.map(file => readFile(file, 'utf8').catch(() => undefined)))
    return new Map(this.#options.files.map((file, i) => [file, texts[i]]))
  }

  #watchDirectory (directory: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, () => this.#soon(this.#options.settleMs ?? 100))
      // A removed directory or a full inotify table leaves polling.
      watcher.on('error', () => watcher.close())
      this.#watchers.push(watcher)
    } catch {
      // The directory does not exist (yet) or cannot be watched: polling finds the files.
    }
  }

  #soon (delayMs: number): void {
    if (this.#closed) return
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined
      void this.check()
    }, delayMs).unref()
  }
}
