import type { Answer } from '../responses/respond.js'

/** One promise of the server that can be looked into. */
export interface HealthCheck {
  readonly name: string
  /** Rejects when it does not hold; the reason goes to the log, not to the client. */
  readonly check: (signal: AbortSignal) => Promise<void> | void
}

const checkTimeoutMs = 2000

/**
 * `/healthz`, `/livez`, `/readyz` and each of their checks, as text. Source: `k8s.io/apiserver/pkg/server/healthz/healthz.go`.
 */
export class HealthChecks {
  readonly #endpoints: Readonly<Record<string, readonly HealthCheck[]>>
  readonly #log: (failed: string, error: unknown) => void

  constructor (endpoints: { livez: readonly HealthCheck[]; readyz: readonly HealthCheck[] }, log: (failed: string, error: unknown) => void) {
    this.#endpoints = { healthz: endpoints.livez, livez: endpoints.livez, readyz: endpoints.readyz }
    this.#log = log
  }

  /** Every path that is answered, for `GET /`. */
  paths (): string[] {
    return Object.entries(this.#endpoints).flatMap(([name, checks]) => [`/${name}`, ...checks.map(c => `/${name}/${c.name}`)])
  }

  /** @returns undefined when the path is none of these */
  async handle (path: string, query: URLSearchParams): Promise<Answer | undefined> {
    const [name = '', ...rest] = path.replace(/^\//, '').replace(/\/$/, '').split('/')
    const checks = this.#endpoints[name]
    if (checks === undefined || !Object.hasOwn(this.#endpoints, name)) return undefined
    if (rest.length > 0) return this.#one(checks, rest.join('/'))
    return this.#all(name, checks, query)
  }

  async #one (checks: readonly HealthCheck[], name: string): Promise<Answer | undefined> {
    const check = checks.find(c => c.name === name)
    if (check === undefined) return undefined
    try {
      await run(check)
      return text(200, 'ok')
    } catch (error) {
      this.#log(name, error)
      return text(500, `internal server error: ${(error as Error).message}\n`)
    }
  }

  async #all (name: string, checks: readonly HealthCheck[], query: URLSearchParams): Promise<Answer> {
    const excluded = new Set(query.getAll('exclude'))
    const results = await Promise.all(checks.map(async check => {
      if (excluded.delete(check.name)) return { line: `[+]${check.name} excluded: ok\n`, ok: true }
      try {
        await run(check)
        return { line: `[+]${check.name} ok\n`, ok: true }
      } catch (error) {
        this.#log(check.name, error)
        return { line: `[-]${check.name} failed: reason withheld\n`, ok: false }
      }
    }))
    const ok = results.every(r => r.ok)
    const unknown = [...excluded].map(e => JSON.stringify(e))
    const lines = results.map(r => r.line).join('') + (unknown.length === 0 ? '' : `warn: some health checks cannot be excluded: no matches for ${unknown.join(', ')}\n`)
    if (!ok) return text(name === 'readyz' ? 503 : 500, `${lines}${name} check failed\n`)
    return text(200, query.has('verbose') ? `${lines}${name} check passed\n` : 'ok')
  }
}

async function run (check: HealthCheck): Promise<void> {
  const signal = AbortSignal.timeout(checkTimeoutMs)
  await Promise.race([check.check(signal), new Promise((_, reject) => { signal.addEventListener('abort', () => { reject(new Error(`${check.name} did not answer within ${checkTimeoutMs / 1000} s`)) }, { once: true }) })])
}

const text = (status: number, body: string): Answer =>
  ({ status, contentType: 'text/plain; charset=utf-8', body: Buffer.from(body), headers: { 'x-content-type-options': 'nosniff' } })
