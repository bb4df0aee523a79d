import type { Writable } from 'node:stream'
import type { AuditSink } from './auditor.js'
import { RotatingLogFile, type LogFileOptions } from './log-file.js'

/** Where lines end up. One call at a time. */
export interface LineWriter {
  append (lines: readonly string[]): Promise<void>
  close (): Promise<void>
}

export interface LogSinkOptions {
  /** From so many waiting characters on, new requests wait. Default 4 Mi. */
  readonly queueLimit?: number | undefined
  /** Lines beyond `queueLimit` times this are dropped: they can only come from requests already running. Default 4. */
  readonly hardLimitFactor?: number | undefined
  /** Lines that were not written: the queue was full, or the file refused them. For `apiserver_audit_error_total{plugin="log"}`. */
  readonly onLost?: ((lines: number, why: 'QueueFull' | 'WriteFailed', error?: unknown) => void) | undefined
}

/**
 * The log backend: lines are queued and written in the background, many at a time, and the log is never far behind. When it cannot keep
 * up, new requests wait before they begin (upstream's default `--audit-log-mode=blocking` makes every request wait for its line), so
 * nothing is lost to load. When the file cannot be written (disk full), lines are lost and counted and requests go on, as upstream does.
 */
export class LogSink implements AuditSink {
  readonly #writer: LineWriter
  readonly #options: LogSinkOptions
  readonly #limit: number
  #queue: string[] = []
  #queued = 0
  #writing: Promise<void> | undefined
  #room: { promise: Promise<void>; resolve: () => void } | undefined
  #closed = false

  private constructor (writer: LineWriter, options: LogSinkOptions) {
    this.#writer = writer
    this.#options = options
    this.#limit = options.queueLimit ?? 4 * 1024 * 1024
  }

  /** @throws the error of the file system if the file cannot be opened */
  static async toFile (file: LogFileOptions, options: LogSinkOptions = {}): Promise<LogSink> {
    const writer = new RotatingLogFile(file)
    await writer.open()
    return new LogSink(writer, options)
  }

  /** Writes to a stream, which is not ended (`--audit-log-path=-`). */
  static toStream (stream: Writable, options: LogSinkOptions = {}): LogSink {
    const append = (lines: readonly string[]): Promise<void> => new Promise((resolve, reject) => {
      stream.write(lines.join(''), error => { if (error) reject(error); else resolve() })
    })
    return new LogSink({ append, close: async () => undefined }, options)
  }

  /** For tests and other destinations. */
  static toWriter (writer: LineWriter, options: LogSinkOptions = {}): LogSink {
    return new LogSink(writer, options)
  }

  write (line: string): void {
    if (this.#closed || this.#queued + line.length > this.#limit * (this.#options.hardLimitFactor ?? 4)) {
      this.#options.onLost?.(1, 'QueueFull')
      return
    }
    this.#queue.push(line)
    this.#queued += line.length
    this.#writing ??= this.#drain()
  }

  room (): Promise<void> | undefined {
    if (this.#queued < this.#limit || this.#closed) return undefined
    if (this.#room === undefined) {
      let resolve!: () => void
      const promise = new Promise<void>(_resolve => { resolve = _resolve })
      this.#room = { promise, resolve }
    }
    return this.#room.promise
  }

  async close (): Promise<void> {
    this.#closed = true
    await this.#writing
    this.#makeRoom()
    await this.#writer.close()
  }

  async #drain (): Promise<void> {
    // Lines of the same turn go out together.
    await new Promise<void>(resolve => { setImmediate(resolve) })
    while (this.#queue.length > 0) {
      const lines = this.#queue
      const size = this.#queued
      this.#queue = []
      try {
        await this.#writer.append(lines)
      } catch (error) {
        this.#options.onLost?.(lines.length, 'WriteFailed', error)
      }
      // What is being written still takes memory, so it counts until now.
      this.#queued -= size
      if (this.#queued < this.#limit) this.#makeRoom()
    }
    this.#writing = undefined
  }

  #makeRoom (): void {
    this.#room?.resolve()
    this.#room = undefined
  }
}
