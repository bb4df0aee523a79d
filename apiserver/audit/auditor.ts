import { printJson } from '../../registry/codec/json-print.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { statusObject, type Status } from '../../registry/meta/status-error.js'
import type { UserInfo } from '../authentication/interfaces.js'
import { atLeast, printEvent, type AuditEvent, type AuditLevel, type AuditStage, type ObjectReference } from './event.js'
import { AuditPolicyEvaluator, type AuditAttributes, type AuditConfig, type AuditPolicy } from './policy.js'

/** Takes event lines. Nothing of it may throw into a request. */
export interface AuditSink {
  /** Hands over one line, which ends in a newline. Never waits. */
  write (line: string): void
  /** Undefined if there is room; otherwise resolves when there is again. Requests wait for it before they begin. */
  room (): Promise<void> | undefined
  /** Writes what is left and releases the file. */
  close (): Promise<void>
}

/** Counts for `apiserver_audit_event_total` and `apiserver_audit_level_total`. */
export interface AuditMetrics {
  event (): void
  level (level: AuditLevel): void
}

export interface AuditorOptions {
  readonly policy: AuditPolicy
  readonly sink: AuditSink
  readonly metrics?: AuditMetrics | undefined
  readonly now?: (() => number) | undefined
}

/** A request as it came in, after authentication and before authorization. */
export interface AuditRequest {
  readonly auditID: string
  /** Path and query as sent. */
  readonly requestURI: string
  /** With the user, or without one if authentication failed. */
  readonly attributes: AuditAttributes
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
  /** Watches: their ResponseStarted is an event of its own. */
  readonly longRunning: boolean
}

const maxUserAgentLength = 1024
export const decisionAnnotation = 'authorization.k8s.io/decision'
export const reasonAnnotation = 'authorization.k8s.io/reason'

/**
 * Turns requests into audit.k8s.io/v1 events by a policy. The level of a request is decided once, when it begins. Bodies are only
 * looked at from level Request (requests) or RequestResponse (responses) on; headers are never recorded.
 */
export class Auditor {
  readonly #options: AuditorOptions
  readonly #policy: AuditPolicyEvaluator
  readonly #now: () => number

  constructor (options: AuditorOptions) {
    this.#options = options
    this.#policy = new AuditPolicyEvaluator(options.policy)
    this.#now = options.now ?? Date.now
  }

  /** Undefined if a new request may begin at once; otherwise resolves when the log has caught up. */
  room (): Promise<void> | undefined {
    return this.#options.sink.room()
  }

  /** Emits RequestReceived. @returns undefined if the policy does not record this request */
  begin (request: AuditRequest): AuditRecord | undefined {
    const record = this.#record(request)
    record?.emit('RequestReceived')
    return record
  }

  /** Emits the only event of a request that failed to authenticate: ResponseStarted with its 401. */
  authenticationFailed (request: AuditRequest, status: Status): void {
    const record = this.#record(request)
    if (record === undefined) return
    record.setResponseObject(statusObject(status))
    record.emit('ResponseStarted')
  }

  /** Writes everything out. Requests that are still running write nothing any more. */
  async close (): Promise<void> {
    await this.#options.sink.close()
  }

  #record (request: AuditRequest): AuditRecord | undefined {
    const config = this.#policy.evaluate(request.attributes)
    this.#options.metrics?.level(config.level)
    return config.level === 'None' ? undefined : new AuditRecord(request, config, this.#now, line => this.#write(line))
  }

  #write (line: string): void {
    this.#options.metrics?.event()
    this.#options.sink.write(line)
  }
}

/** The audit trail of one request. Every method may be called in any order; after `finish` or `panic` they do nothing. */
export class AuditRecord {
  readonly #event: AuditEvent
  readonly #config: AuditConfig
  readonly #longRunning: boolean
  readonly #now: () => number
  readonly #write: (line: string) => void
  #started = false
  #finished = false

  constructor (request: AuditRequest, config: AuditConfig, now: () => number, write: (line: string) => void) {
    this.#config = config
    this.#longRunning = request.longRunning
    this.#now = now
    this.#write = write
    this.#event = {
      level: config.level,
      auditID: request.auditID,
      stage: 'RequestReceived',
      requestURI: request.requestURI,
      verb: request.attributes.verb,
      user: request.attributes.user,
      impersonatedUser: undefined,
      impersonationConstraint: '',
      sourceIPs: request.sourceIPs,
      userAgent: request.userAgent.length > maxUserAgentLength ? request.userAgent.slice(0, maxUserAgentLength) + '...TRUNCATED' : request.userAgent,
      objectRef: objectRefOf(request.attributes),
      responseStatus: undefined,
      requestObject: undefined,
      responseObject: undefined,
      requestReceivedTimestamp: request.receivedAt,
      stageTimestamp: request.receivedAt,
      annotations: new Map()
    }
  }

  get level (): AuditLevel { return this.#config.level }
  /** Whether `setRequestObject` would record the body and not just its name. */
  get wantsRequestObject (): boolean { return atLeast(this.#config.level, 'Request') }
  get wantsResponseObject (): boolean { return atLeast(this.#config.level, 'RequestResponse') }

  /** @param constraint the right by which it was allowed, such as `impersonate:user-info`; empty for the old `impersonate` */
  setImpersonatedUser (user: UserInfo, constraint: string): void {
    this.#event.impersonatedUser = user
    this.#event.impersonationConstraint = constraint
  }

  /** Adds an annotation; the first value of a key stays. */
  annotate (key: string, value: string): void {
    if (!this.#event.annotations.has(key)) this.#event.annotations.set(key, value)
  }

  /** What authorization said: a decision with its reason, or that it failed. */
  setDecision (decision: 'allow' | 'forbid' | 'error', reason = ''): void {
    if (decision === 'error') {
      this.annotate(reasonAnnotation, 'internal error')
      return
    }
    this.annotate(decisionAnnotation, decision)
    this.annotate(reasonAnnotation, reason)
  }

  /** The decoded object of a create or update, before defaulting and conversion. Its name completes the object reference at any level. */
  setRequestObject (object: JsonObject): void {
    const ref = this.#event.objectRef
    const metadata = object['metadata']
    if (ref !== undefined && isObject(metadata)) {
      for (const key of ['namespace', 'name', 'uid', 'resourceVersion'] as const) {
        const value = metadata[key]
        if ((ref[key] ?? '') === '' && typeof value === 'string') ref[key] = value
      }
    }
    if (this.wantsRequestObject) this.#event.requestObject = printJson(this.#config.omitManagedFields ? withoutManagedFields(object) : object)
  }

  /** The body of a patch, which is JSON of any shape. */
  setRequestPatch (patch: Buffer): void {
    // A patch that is not JSON (an apply in YAML, or garbage) must not break the line.
    if (this.wantsRequestObject) this.#event.requestObject = isJson(patch) ? oneLine(patch) : printJson(patch.toString())
  }

  /** The answer as an object. A Status tells its outcome at any level. */
  setResponseObject (object: JsonObject): void {
    if (object['kind'] === 'Status' && object['apiVersion'] === 'v1') this.#event.responseStatus = { ...object }
    if (this.wantsResponseObject) this.#event.responseObject = printJson(this.#config.omitManagedFields ? withoutManagedFields(object) : object)
  }

  /** The answer as the JSON that is sent, where it is not a Status. */
  setResponseBytes (body: Buffer): void {
    if (!this.wantsResponseObject) return
    if (this.#config.omitManagedFields) this.setResponseObject(parseJson(body).value as JsonObject)
    else this.#event.responseObject = oneLine(body)
  }

  /** The status line was sent. Emits ResponseStarted for long-running requests. */
  responseStarted (code: number): void {
    if (this.#started || this.#finished) return
    this.#started = true
    this.#setCode(code)
    if (this.#longRunning) this.emit('ResponseStarted')
  }

  /** The response is complete, or its connection is gone. @param code absent if nothing was ever sent */
  finish (code?: number): void {
    if (this.#finished) return
    if (code !== undefined) {
      this.responseStarted(code)
    } else if (!this.#started) {
      this.#event.responseStatus ??= { status: 'Success', message: 'Connection closed early', code: 200 }
      if (this.#longRunning) this.emit('ResponseStarted')
    }
    this.emit('ResponseComplete')
    this.#finished = true
  }

  /** The handler failed in a way that nobody planned for. Ends the record. */
  panic (error: unknown): void {
    if (this.#finished) return
    this.#event.responseStatus = { status: 'Failure', message: `APIServer panic'd: ${error instanceof Error ? error.message : String(error)}`, reason: 'InternalError', code: 500 }
    this.emit('Panic')
    this.#finished = true
  }

  /** Writes the event of a stage unless the policy omits it. For the Auditor; everybody else uses the methods above. */
  emit (stage: AuditStage): void {
    if (this.#finished || this.#config.omitStages.has(stage)) return
    this.#event.stage = stage
    this.#event.stageTimestamp = stage === 'RequestReceived' ? this.#event.requestReceivedTimestamp : this.#now()
    this.#write(printEvent(this.#event))
  }

  #setCode (code: number): void {
    this.#event.responseStatus = { ...this.#event.responseStatus, code }
  }
}

function objectRefOf (attributes: AuditAttributes): ObjectReference | undefined {
  if (!attributes.resourceRequest) return undefined
  const { namespace, name, resource, subresource, apiGroup, apiVersion } = attributes
  return { namespace, name, resource, subresource, apiGroup, apiVersion }
}

/** JSON as it can stand inside a line: compact bytes as they are, pretty-printed ones printed again. */
function oneLine (json: Buffer): string {
  const text = json.toString().trimEnd()
  return text.includes('\n') || text.includes('\r') ? printJson(parseJson(json).value) : text
}

function isJson (bytes: Buffer): boolean {
  try {
    parseJson(bytes)
    return true
  } catch {
    return false
  }
}

/** A copy without `metadata.managedFields`, of the object, of the items of a list, and of the rows of a Table. */
function withoutManagedFields (object: JsonObject): JsonObject {
  const copy: JsonObject = { ...object }
  const { metadata } = copy
  if (isObject(metadata) && 'managedFields' in metadata) {
    const { managedFields, ...rest } = metadata
    void managedFields
    copy['metadata'] = rest
  }
  const strip = (value: JsonValue): JsonValue => isObject(value) ? withoutManagedFields(value) : value
  if (Array.isArray(copy['items'])) copy['items'] = copy['items'].map(strip)
  if (copy['kind'] === 'Table' && Array.isArray(copy['rows'])) copy['rows'] = copy['rows'].map(row => isObject(row) && isObject(row['object']) ? { ...row, object: withoutManagedFields(row['object']) } : row)
  return copy
}
