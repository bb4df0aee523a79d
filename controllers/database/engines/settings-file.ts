import type { Problem } from '../../children/problem.js'

export interface SettingsRules {
  /** What a setting's name looks like. */
  readonly name: RegExp
  /** Settings that the operator makes itself, in lower case with underscores. */
  readonly reserved: ReadonlySet<string>
}

/** Why settings cannot be written into a file: names that are none, values of several lines, settings that are the operator's. */
export function settingsProblem (settings: Readonly<Record<string, string>>, { name, reserved }: SettingsRules): Problem | undefined {
  for (const [key, value] of sorted(settings)) {
    const field = `spec.configuration[${key}]`
    if (!name.test(key)) return invalid(`${JSON.stringify(field)} is no setting's name`)
    if (reserved.has(key.toLowerCase().replaceAll('-', '_'))) return invalid(`${field} is set by the operator and cannot be changed`)
    if (/\p{Cc}/u.test(value)) return invalid(`${field} must be one line without control characters`)
  }
  return undefined
}

/** By name, so that the file does not change with the order in which settings are written. */
export const sorted = (settings: Readonly<Record<string, string>>): [string, string][] => Object.entries(settings).sort(([a], [b]) => a < b ? -1 : 1)

const invalid = (message: string): Problem => ({ reason: 'InvalidConfiguration', message })
