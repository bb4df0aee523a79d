import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Writes JavaScript of the embedded storage to a directory below the repository (packages are found from there), for tests that start
 * many processes: a compiler in each of them would take most of the test's time. `more` are further sources. Answers the directory.
 */
export async function compileStorage (directory: string, more: readonly string[] = []): Promise<string> {
  const embedded = (await readdir(join(root, 'storage/embedded'))).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  for (const source of ['storage/interfaces.ts', 'storage/errors.ts', ...embedded.map(name => `storage/embedded/${name}`), ...more]) {
    const { outputText } = ts.transpileModule(await readFile(join(root, source), 'utf8'), { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } })
    const target = join(directory, source.replace(/ts$/, 'js'))
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, outputText)
  }
  await cp(join(root, 'package.json'), join(directory, 'package.json'))
  return directory
}
