import type { Metrics } from '../metrics/metrics.js'
import type { Log } from '../http/pipeline.js'
import type { ApiserverConfig } from '../options/apiserver-options.js'
import { Auditor } from './auditor.js'
import { LogSink, type LineWriter } from './log-sink.js'
import { loadAuditPolicy } from './policy-file.js'
import { defaultAuditPolicy } from './policy.js'

/**
 * Opens the audit log of a config. @param surroundings `writer` writes the lines instead, where several processes share a log
 * @throws ConfigFileError for a bad policy file, Error for a log file that cannot be written
 */
export async function openAuditor (config: NonNullable<ApiserverConfig['audit']>, { metrics, log, writer }: { metrics: Metrics; log: Log; writer?: LineWriter | undefined }): Promise<Auditor> {
  const policy = config.policyFile === undefined ? defaultAuditPolicy : await loadAuditPolicy(config.policyFile)
  const onLost = (lines: number, why: string, error?: unknown): void => { log.error({ lines, why, err: error }, 'audit events were lost') }
  const sink = writer !== undefined ? LogSink.toWriter(writer, { onLost }) : config.path === '-'
    ? LogSink.toStream(process.stdout, { onLost })
    : await LogSink.toFile({ path: config.path, maxSizeBytes: config.maxSizeBytes, maxBackups: config.maxBackups, maxAgeDays: config.maxAgeDays }, { onLost })
  return new Auditor({ policy, sink, metrics: { event: () => { metrics.auditEvents.inc() }, level: level => { metrics.auditLevels.inc({ level }) } } })
}
