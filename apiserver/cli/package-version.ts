import { readFileSync } from 'node:fs'

/** The version of this package, as package.json has it. */
export function packageVersion (): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { version: string }).version
    } catch {} // the compiled files are one folder deeper than the sources
  }
  return '0.0.0'
}
