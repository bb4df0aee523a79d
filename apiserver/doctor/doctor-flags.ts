import { flagSection } from '../cli/flag-types.js'
import type { OptionsOf } from '../cli/flags.js'
import { clusterFlags } from '../install/cluster-flags.js'
import { groupFlags } from '../install/install-flags.js'

const output = flagSection('Output')

/** The flags of `annex doctor`. */
export const doctorFlags = {
  ...clusterFlags,
  ...groupFlags,
  output: output.string('output', { default: 'text', shorthand: 'o', help: 'text or json.' }),
  timeout: output.duration('timeout', { default: 3_000, help: 'How long to wait for the server when it is asked directly.' })
} as const

export type DoctorOptions = OptionsOf<typeof doctorFlags>
