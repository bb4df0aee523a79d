import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Writes JavaScript of the embedded storage, with all that it imports, to a directory below the repository (packages are found from
 * there), for tests that start many processes: a compiler in each of them would take most of the test's time. `more` are further sources.
 * Answers the directory; each source is at its own path in it.
 */
export async function compileStorage (directory: string, more: readonly string[] = []): Promise<string> {
  await build({
    absWorkingDir: root,
    entryPoints: ['storage/embedded/storage.ts', ...more],
    outdir: directory,
    outbase: '.',
    bundle: true,
    splitting: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'silent'
  })
  await cp(join(root, 'package.json'), join(directory, 'package.json'))
  return directory
}
