import type { ClusterEnvironment } from '../options/cluster-options.js'
import { helpText, type FlagTable, type ParsedFlags } from '../cli/flags.js'

/** Where a command writes, and what it may know of its surroundings. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly columns?: number | undefined
  readonly environment: ClusterEnvironment
}

export interface CommandText { readonly command: string; readonly description: string }

/** The exit code for a command line that asks for help or is wrong, after saying so; undefined: go on. */
export function helpOrErrors (terminal: Terminal, table: FlagTable, { command, description }: CommandText, parsed: Pick<ParsedFlags<FlagTable>, 'help'>, errors: readonly string[]): number | undefined {
  if (parsed.help) {
    terminal.out(helpText(table, { command, description, columns: terminal.columns }))
    return 0
  }
  if (errors.length === 0) return undefined
  terminal.err(errors.map(e => `${command}: ${e}\n`).join('') + `See ${command} --help.\n`)
  return 2
}
