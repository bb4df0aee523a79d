import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

/** The command line in one file, with V8's code for it. */
export interface CompiledCommand {
  readonly exports: typeof import('./command.js')
  /** Where V8's code for the file is looked for: of another V8 it is of no use. */
  readonly codeFile: string
  /** Whether it was there and V8 took it. */
  readonly codeUsed: boolean
  /** V8's code for what has run so far; the rest is compiled when it is called. */
  code (): Buffer
}

/**
 * Loads what `hack/bundle.mjs` made of `command.ts` beside the built `main.js`: finding, reading and compiling five hundred modules takes
 * longer than all that a server does at its start. Code that V8 refuses (it is of other flags) costs the compilation, nothing else.
 * Answers undefined where there is no such file, as among the sources.
 */
export function openCompiledCommand (directory = fileURLToPath(new URL('.', import.meta.url))): CompiledCommand | undefined {
  const filename = join(directory, 'command.cjs')
  const codeFile = join(directory, `command.v8-${process.versions.v8}-${process.arch}`)
  const source = readIfThere(filename)?.toString('latin1') // the bundler writes ASCII
  if (source === undefined) return undefined
  const cachedData = readIfThere(codeFile)
  const script = new Script(source, { filename, ...(cachedData && { cachedData }) })
  const module = { exports: {} as CompiledCommand['exports'] }
  const define = script.runInThisContext() as (module: { exports: CompiledCommand['exports'] }, require: NodeJS.Require, filename: string) => void
  define(module, createRequire(filename), filename)
  return { exports: module.exports, codeFile, codeUsed: script.cachedDataRejected === false, code: () => script.createCachedData() }
}

function readIfThere (file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
