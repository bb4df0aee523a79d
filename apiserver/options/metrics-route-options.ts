import path from 'node:path'
import type { Checks } from '../cli/checks.js'
import { parseDuration } from '../cli/duration.js'

/** One `--metrics-route`: which metrics are asked of another adapter, and how it is reached. */
export interface MetricsRouteConfig {
  /** Undefined: both. */
  readonly group: 'custom.metrics.k8s.io' | 'external.metrics.k8s.io' | undefined
  /** Patterns, in which `*` stands for any text. */
  readonly namespace: string
  readonly metric: string
  /** Without a slash at the end. */
  readonly url: string
  readonly caFile: string
  /** The name that the certificate must have; undefined: the host of the URL. */
  readonly serverName: string | undefined
  /** How the other side learns who asks: a front proxy's certificate and X-Remote-* headers, or our token and Impersonate-* headers. */
  readonly identity: { readonly type: 'frontProxy'; readonly certificateFile: string; readonly keyFile: string } | { readonly type: 'impersonate'; readonly tokenFile: string }
  readonly timeoutMs: number
}

const keys = ['group', 'namespace', 'metric', 'url', 'ca-file', 'server-name', 'cert-file', 'key-file', 'token-file', 'timeout'] as const
type Key = typeof keys[number]
const flag = 'metrics-route'
const groups = ['custom.metrics.k8s.io', 'external.metrics.k8s.io'] as const
const maxRoutes = 32

/** Reads and checks every rule; a wrong one is left out and told to `checks`. */
export function metricsRoutes (texts: readonly string[], checks: Checks): MetricsRouteConfig[] {
  if (texts.length > maxRoutes) checks.add(flag, texts[maxRoutes]!, `may be given ${maxRoutes} times at most`)
  return texts.flatMap(text => {
    const { values, errors } = pairsOf(text)
    errors.push(...problemsOf(values))
    for (const error of errors) checks.add(flag, text, error)
    return errors.length > 0 ? [] : [configOf(values)]
  })
}

/** The files that the rules name, for the check that they can be read. */
export const routeFiles = (routes: readonly MetricsRouteConfig[]): string[] =>
  [...new Set(routes.flatMap(({ caFile, identity }) => [caFile, ...identity.type === 'frontProxy' ? [identity.certificateFile, identity.keyFile] : [identity.tokenFile]]))]

type Values = Partial<Record<Key, string>>

function pairsOf (text: string): { values: Values; errors: string[] } {
  const values: Values = {}
  const errors: string[] = []
  for (const pair of text.split(',')) {
    const at = pair.indexOf('=')
    const key = pair.slice(0, Math.max(0, at)).trim() as Key
    const value = pair.slice(at + 1).trim()
    if (at < 0) errors.push(`${JSON.stringify(pair)} must be formatted as key=value`)
    else if (!keys.includes(key)) errors.push(`unknown key ${JSON.stringify(key)}; known are ${keys.join(', ')}`)
    else if (values[key] !== undefined) errors.push(`${key} is given twice`)
    else if (value === '') errors.push(`${key} must not be empty`)
    else values[key] = value
  }
  return { values, errors }
}

function problemsOf (values: Values): string[] {
  const problems: string[] = []
  const { group, url, timeout } = values
  if (group !== undefined && !groups.includes(group as typeof groups[number])) problems.push(`group must be ${groups.join(' or ')}`)
  if (url === undefined) problems.push('needs url')
  else if (!isServerUrl(url)) problems.push('url must be https://HOST[:PORT] without a path')
  if (values['ca-file'] === undefined) problems.push('needs ca-file, the authority of the other side\'s certificate')
  const [certificate, key, token] = [values['cert-file'], values['key-file'], values['token-file']]
  if ((certificate === undefined) !== (key === undefined)) problems.push('needs both cert-file and key-file')
  else if (certificate === undefined && token === undefined) problems.push('needs cert-file and key-file (of a front proxy that the other side trusts), or token-file (of an account that may impersonate there)')
  else if (certificate !== undefined && token !== undefined) problems.push('cert-file and token-file exclude each other')
  if (timeout !== undefined && !(durationMs(timeout) > 0)) problems.push('timeout must be a duration above 0 such as 5s')
  return problems
}

function isServerUrl (text: string): boolean {
  try {
    const { protocol, pathname, search, hash, username, password } = new URL(text)
    return protocol === 'https:' && pathname === '/' && search + hash + username + password === ''
  } catch {
    return false
  }
}

function durationMs (text: string): number {
  try {
    return parseDuration(text)
  } catch {
    return Number.NaN
  }
}

function configOf (values: Values): MetricsRouteConfig {
  const [certificate, key, token] = [values['cert-file'], values['key-file'], values['token-file']]
  return {
    group: values.group as MetricsRouteConfig['group'],
    namespace: values.namespace ?? '*',
    metric: values.metric ?? '*',
    url: values.url!.replace(/\/$/, ''),
    caFile: path.resolve(values['ca-file']!),
    serverName: values['server-name'],
    identity: certificate !== undefined && key !== undefined
      ? { type: 'frontProxy', certificateFile: path.resolve(certificate), keyFile: path.resolve(key) }
      : { type: 'impersonate', tokenFile: path.resolve(token!) },
    timeoutMs: values.timeout === undefined ? 5000 : durationMs(values.timeout)
  }
}
