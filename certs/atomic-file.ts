import { randomBytes } from 'node:crypto'
import { chmod, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { CertificateError } from './errors.js'

/**
 * Replaces a file so that a reader, or a crash at any moment, sees either the old or the whole new content.
 * A symbolic link is replaced by a file.
 * @throws CertificateError Unreadable, naming the file
 */
export async function writeFileAtomically (file: string, content: string, mode: number): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      await handle.writeFile(content)
      // The umask may have taken bits away; it must never decide about keys.
      await handle.chmod(mode)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new CertificateError('Unreadable', `${file}: cannot be written (${reason(cause)})`, { cause })
  }
}

/**
 * Writes a file only if its content or mode differs.
 * @returns whether it was written
 */
export async function writeFileIfChanged (file: string, content: string, mode: number): Promise<boolean> {
  if (await readIfPresent(file) === content) {
    await chmod(file, mode)
    return false
  }
  await writeFileAtomically(file, content, mode)
  return true
}

/** The text of a file, or undefined if there is none. @throws CertificateError Unreadable, naming the file */
export async function readIfPresent (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CertificateError('Unreadable', `${file}: cannot be read (${reason(cause)}); check its owner and mode`, { cause })
  }
}

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
