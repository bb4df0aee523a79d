import { parseArgs } from 'node:util'
import type { AnyFlag, Flag } from './flag-types.js'

/** A command's flags under the names that the code uses for them. */
export type FlagTable = Readonly<Record<string, AnyFlag>>

/** The values of a flag table. */
export type OptionsOf<F extends FlagTable> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never }

export interface ParsedFlags<F extends FlagTable> {
  /** What was typed over the defaults; a flag with an error keeps its default. */
  readonly options: OptionsOf<F>
  /** Names of the flags that were typed, without dashes. */
  readonly changed: ReadonlySet<string>
  /** Whether `--help` or `-h` was typed. */
  readonly help: boolean
  /** Everything wrong with the command line, in its order, as pflag words it. */
  readonly errors: readonly string[]
}

/**
 * Reads a command line by a flag table, as kube-style commands do: `--name=value` or `--name value`, bools without a value or with
 * `=false`, underscores for dashes, shorthands, `--` ends the flags. Positional arguments are errors. Reports everything at once instead
 * of stopping at the first error.
 */
export function parseFlags<F extends FlagTable> (table: F, args: readonly string[], command: string): ParsedFlags<F> {
  const flags = Object.entries(table)
  const byName = new Map(flags.map(([key, flag]) => [flag.name, { key, flag: flag as Flag<unknown> }]))
  const { tokens } = parseArgs({
    args: args.map((arg, i) => normalize(arg, args, i)),
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(flags.map(([, flag]) => [flag.name, { type: flag.isBool ? 'boolean' as const : 'string' as const, ...(flag.shorthand !== undefined && { short: flag.shorthand }) }]))
    },
    strict: false,
    allowPositionals: true,
    tokens: true
  })

  const values: Record<string, unknown> = {}
  const changed = new Set<string>()
  const errors: string[] = []
  let help = false
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      errors.push(`unknown command ${JSON.stringify(token.value)} for ${JSON.stringify(command)}`)
      continue
    }
    const found = byName.get(token.name)
    if (found === undefined) {
      if (token.name === 'help') help = true
      else errors.push(token.rawName.startsWith('--') ? `unknown flag: ${token.rawName}` : `unknown shorthand flag: '${token.name}' in ${args[token.index] ?? token.rawName}`)
      continue
    }
    const { key, flag } = found
    // parseArgs leaves the `=` of `-v=2` on the value.
    const text = token.rawName.startsWith('--') ? token.value : token.value?.replace(/^=/, '')
    if (text === undefined && !flag.isBool) {
      errors.push(`flag needs an argument: ${token.rawName}`)
      continue
    }
    changed.add(flag.name)
    try {
      values[key] = flag.parse(text ?? 'true', values[key])
    } catch (error) {
      errors.push(`invalid argument ${JSON.stringify(text)} for ${JSON.stringify(display(flag))} flag: ${(error as Error).message}`)
    }
  }
  const defaults = Object.fromEntries(flags.map(([key, flag]) => [key, flag.default]))
  return { options: { ...defaults, ...values } as OptionsOf<F>, changed, help, errors }
}

/** Kubernetes takes `--secure_port` for `--secure-port`; nothing behind `--` is a flag. */
function normalize (arg: string, args: readonly string[], i: number): string {
  const end = args.indexOf('--')
  if (!arg.startsWith('--') || (end >= 0 && i >= end)) return arg
  const at = arg.indexOf('=')
  return at < 0 ? arg.replaceAll('_', '-') : arg.slice(0, at).replaceAll('_', '-') + arg.slice(at)
}

const display = (flag: AnyFlag): string => flag.shorthand === undefined ? `--${flag.name}` : `-${flag.shorthand}, --${flag.name}`

/** Flags in groups, sections and flags in the order of the table. */
function sections (table: FlagTable): Map<string, AnyFlag[]> {
  const groups = new Map<string, AnyFlag[]>()
  for (const flag of Object.values(table)) {
    const group = groups.get(flag.section)
    if (group === undefined) groups.set(flag.section, [flag])
    else group.push(flag)
  }
  return groups
}

export interface HelpOptions {
  readonly command: string
  readonly description: string
  /** Width of the terminal. Default 120. */
  readonly columns?: number | undefined
}

/** What `--help` prints: description, usage, flags by section, in the manner of kube-apiserver. */
export function helpText (table: FlagTable, options: HelpOptions): string {
  const columns = Math.max(options.columns ?? 120, 60)
  const global: [string, string][] = [['  -h, --help', `help for ${options.command}`]]
  const blocks = [...sections(table)].map(([section, flags]) => `${section} flags:\n\n${layout(flags.map(f => [left(f), right(f)]), columns)}`)
  return [`${options.description}\n\nUsage:\n  ${options.command} [flags]`, ...blocks, `Global flags:\n\n${layout(global, columns)}`].join('\n\n') + '\n'
}

const left = (flag: AnyFlag): string => `${flag.shorthand === undefined ? '      ' : `  -${flag.shorthand}, `}--${flag.name}${flag.typeName === '' ? '' : ` ${flag.typeName}`}`

function right (flag: AnyFlag): string {
  const shown = flag.formatDefault()
  return shown === '' ? flag.help : `${flag.help} (default ${shown})`
}

function layout (rows: readonly (readonly [string, string])[], columns: number): string {
  const indent = Math.min(Math.max(...rows.map(([name]) => name.length)) + 3, 48)
  return rows.map(([name, text]) => {
    const lines = wrap(text, columns - indent)
    const first = name.length + 3 > indent ? [name, ...lines.map(line => ' '.repeat(indent) + line)] : [name.padEnd(indent) + (lines[0] ?? ''), ...lines.slice(1).map(line => ' '.repeat(indent) + line)]
    return first.join('\n')
  }).join('\n')
}

function wrap (text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

/** The same flags as Markdown tables, one per section, for the README. */
export function markdownTable (table: FlagTable): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
  return [...sections(table)].map(([section, flags]) => [
    `### ${section}`,
    '',
    '| flag | default | what it does |',
    '|---|---|---|',
    ...flags.map(flag => {
      const shown = flag.formatDefault()
      const name = `${flag.shorthand === undefined ? '' : `-${flag.shorthand}, `}--${flag.name}`
      return `| \`${name}\`${flag.typeName === '' ? '' : ` ${flag.typeName}`} | ${shown === '' ? '' : `\`${shown}\``} | ${cell(flag.help)} |`
    })
  ].join('\n')).join('\n\n') + '\n'
}
