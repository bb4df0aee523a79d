import { printJson } from '../../registry/codec/json-print.js'
import type { JsonObject, JsonValue } from '../../registry/codec/value.js'
import type { UserInfo } from '../authentication/interfaces.js'

export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const
/** How much is recorded; each level includes the ones before. */
export type AuditLevel = typeof auditLevels[number]

export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const
export type AuditStage = typeof auditStages[number]

/** Whether `level` records at least what `least` does. */
export const atLeast = (level: AuditLevel, least: AuditLevel): boolean => auditLevels.indexOf(level) >= auditLevels.indexOf(least)

export interface ObjectReference {
  resource?: string
  namespace?: string
  name?: string
  uid?: string
  apiGroup?: string
  apiVersion?: string
  resourceVersion?: string
  subresource?: string
}

/** `audit.k8s.io/v1` Event. The objects are JSON texts, so that they are written as they were received and sent. */
export interface AuditEvent {
  readonly level: AuditLevel
  readonly auditID: string
  stage: AuditStage
  readonly requestURI: string
  readonly verb: string
  readonly user: UserInfo | undefined
  impersonatedUser: UserInfo | undefined
  /** Empty: none. */
  impersonationConstraint: string
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
  objectRef: ObjectReference | undefined
  responseStatus: JsonObject | undefined
  requestObject: string | undefined
  responseObject: string | undefined
  readonly requestReceivedTimestamp: number
  stageTimestamp: number
  readonly annotations: Map<string, string>
}

/** An event as one line, members in the order and with the omissions of kube-apiserver's log. */
export function printEvent (event: AuditEvent): string {
  let out = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"${event.level}","auditID":${printJson(event.auditID)},"stage":"${event.stage}"` +
    `,"requestURI":${printJson(event.requestURI)},"verb":${printJson(event.verb)},"user":${printUser(event.user)}`
  if (event.impersonatedUser !== undefined) out += `,"impersonatedUser":${printUser(event.impersonatedUser)}`
  if (event.impersonationConstraint !== '') out += `,"authenticationMetadata":{"impersonationConstraint":${printJson(event.impersonationConstraint)}}`
  if (event.sourceIPs.length > 0) out += `,"sourceIPs":${printJson([...event.sourceIPs])}`
  if (event.userAgent !== '') out += `,"userAgent":${printJson(event.userAgent)}`
  if (event.objectRef !== undefined) out += `,"objectRef":${printObjectRef(event.objectRef)}`
  if (event.responseStatus !== undefined) out += `,"responseStatus":${printStatus(event.responseStatus)}`
  if (event.requestObject !== undefined) out += `,"requestObject":${event.requestObject}`
  if (event.responseObject !== undefined) out += `,"responseObject":${event.responseObject}`
  out += `,"requestReceivedTimestamp":"${microTime(event.requestReceivedTimestamp)}","stageTimestamp":"${microTime(event.stageTimestamp)}"`
  if (event.annotations.size > 0) out += `,"annotations":${printJson(Object.fromEntries(event.annotations))}`
  return out + '}\n'
}

function printUser (user: UserInfo | undefined): string {
  if (user === undefined) return '{}'
  return members([
    ['username', user.name],
    ['uid', user.uid],
    ['groups', user.groups.length > 0 ? [...user.groups] : undefined],
    ['extra', Object.keys(user.extra ?? {}).length > 0 ? user.extra as JsonValue : undefined]
  ])
}

const objectRefOrder = ['resource', 'namespace', 'name', 'uid', 'apiGroup', 'apiVersion', 'resourceVersion', 'subresource'] as const

const printObjectRef = (ref: ObjectReference): string => members(objectRefOrder.map(key => [key, ref[key]]))

/** The bounded fields of a Status; `metadata` stays empty, as in Go. */
function printStatus (status: JsonObject): string {
  const { status: outcome, message, reason, details, code } = status
  const parts = [
    '"metadata":{}',
    memberList([['status', outcome], ['message', message], ['reason', reason]]),
    details === undefined || details === null ? '' : `"details":${printDetails(details as JsonObject)}`,
    memberList([['code', code]])
  ]
  return `{${parts.filter(p => p !== '').join(',')}}`
}

/** metav1.StatusDetails in the order of its Go members. */
function printDetails (details: JsonObject): string {
  const { name, group, kind, uid, causes, retryAfterSeconds } = details
  const list = Array.isArray(causes) && causes.length > 0 ? [`"causes":[${causes.map(c => printCause(c as JsonObject)).join(',')}]`] : []
  const parts = [memberList([['name', name], ['group', group], ['kind', kind], ['uid', uid]]), ...list, memberList([['retryAfterSeconds', retryAfterSeconds]])]
  return `{${parts.filter(p => p !== '').join(',')}}`
}

const printCause = (cause: JsonObject): string => members([['reason', cause['reason']], ['message', cause['message']], ['field', cause['field']]])

type Members = readonly (readonly [string, JsonValue | undefined])[]

/** A JSON object in the given order; what is absent or an empty string is left out (Go's omitempty). */
const members = (entries: Members): string => `{${memberList(entries)}}`

const memberList = (entries: Members): string =>
  entries.filter(([, value]) => value !== undefined && value !== '').map(([key, value]) => `"${key}":${printJson(value)}`).join(',')

/** metav1.MicroTime; JavaScript's clock has milliseconds only. */
const microTime = (ms: number): string => new Date(ms).toISOString().slice(0, -1) + '000Z'
