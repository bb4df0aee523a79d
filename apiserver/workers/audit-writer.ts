import { RotatingLogFile } from '../audit/log-file.js'
import type { ApiserverConfig } from '../options/apiserver-options.js'

type AuditConfig = NonNullable<ApiserverConfig['audit']>

/** The one writer of the audit log of all workers, so that lines stay whole and one process rotates the file. Each worker waits for its lines, so as many calls wait as there are workers. */
export class AuditWriter {
  readonly #file: RotatingLogFile | undefined
  #last: Promise<void> = Promise.resolve()

  constructor (config: AuditConfig) {
    this.#file = config.path === '-' ? undefined : new RotatingLogFile(config)
  }

  /** @throws the error of the file system */
  async open (): Promise<void> { await this.#file?.open() }

  /** Resolves when the lines are written. @throws the error of the file system */
  async append (lines: readonly string[]): Promise<void> {
    const before = this.#last.catch(() => {}) // whoever wrote that was told
    await (this.#last = before.then(() => this.#file === undefined ? print(lines) : this.#file.append(lines)))
  }

  async close (): Promise<void> {
    await this.#last.catch(() => {})
    await this.#file?.close()
  }
}

const print = (lines: readonly string[]): Promise<void> => new Promise((resolve, reject) => {
  process.stdout.write(lines.join(''), error => { if (error) reject(error); else resolve() })
})
