import { access, constants, stat } from 'node:fs/promises'
import path from 'node:path'

/** Collects errors in the order of the flags, whatever order the file checks finish in. */
export class Checks {
  readonly #errors: { flag: string; text: string }[] = []

  add (flag: string, value: string | number, why: string): void {
    this.#errors.push({ flag, text: `--${flag}=${value}: ${why}` })
  }

  both (flag: string, value: string, other: string, otherValue: string): void {
    if (value === '') this.add(other, otherValue, `needs --${flag}`)
    else this.add(flag, value, `needs --${other}`)
  }

  async file (flag: string, file: string, options: { orDirectory?: boolean } = {}): Promise<void> {
    if (file === '') return
    try {
      const info = await stat(file)
      if (info.isDirectory() && options.orDirectory !== true) this.add(flag, file, 'is a directory')
      else await access(file, constants.R_OK)
    } catch (error) {
      this.add(flag, file, problem(error))
    }
  }

  /** A directory that exists, or can be made. */
  async directory (flag: string, directory: string): Promise<void> {
    if (directory === '') return
    const info = await stat(directory).catch((error: NodeJS.ErrnoException) => error)
    if (info instanceof Error) {
      if (info.code !== 'ENOENT') this.add(flag, directory, problem(info))
    } else if (!info.isDirectory()) {
      this.add(flag, directory, 'is not a directory')
    }
  }

  async parentOf (flag: string, file: string): Promise<void> {
    if (file === '' || file === '-') return
    const parent = path.dirname(path.resolve(file))
    const info = await stat(parent).catch((error: NodeJS.ErrnoException) => error)
    if (info instanceof Error || !info.isDirectory()) this.add(flag, file, `the directory ${parent} does not exist`)
    else if (await stat(file).then(s => s.isDirectory(), () => false)) this.add(flag, file, 'is a directory')
  }

  /** What was found, as `--flag=value: why`. @param order the names of all flags */
  sorted (order: readonly string[]): string[] {
    return this.#errors.toSorted((a, b) => order.indexOf(a.flag) - order.indexOf(b.flag)).map(e => e.text)
  }
}

function problem (error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'no such file or directory' : code === 'EACCES' ? 'permission denied' : `cannot be read (${code ?? String(error)})`
}
