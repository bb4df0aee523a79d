import type { LineWriter } from '../audit/log-sink.js'
import { RotatingLogFile } from '../audit/log-file.js'
import type { ApiserverConfig } from '../options/apiserver-options.js'
import { PrimaryGone, type PrimaryLink } from './primary-link.js'

/**
 * A worker's way to the audit log: through the primary. When that was killed, the worker appends what is left by itself while it ends;
 * a line that the primary had written without saying so is then there twice, rather than not at all. Nobody rotates the file then.
 */
export function auditLines (config: NonNullable<ApiserverConfig['audit']>, primary: PrimaryLink): LineWriter {
  let own: RotatingLogFile | undefined
  return {
    append: async lines => {
      try {
        await primary.audit(lines)
      } catch (error) {
        if (!(error instanceof PrimaryGone) || config.path === '-') throw error
        own ??= new RotatingLogFile({ path: config.path, maxSizeBytes: 0, maxBackups: 0, maxAgeDays: 0 })
        await own.append(lines)
      }
    },
    close: async () => { await own?.close() }
  }
}
