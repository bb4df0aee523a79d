import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** Named checks; one that throws, or rejects, fails. */
export type HealthChecks = Readonly<Record<string, () => Promise<void> | void>>

/** Whether somebody may read, and otherwise what to answer. */
export type AccessDecision = { readonly allowed: true } | { readonly allowed: false; readonly code: 401 | 403; readonly text: string }

/** PEM texts. */
export interface ServingPair { readonly cert: string; readonly key: string }

export interface HealthServerOptions {
  /** 0 for any free port. */
  readonly port: number
  /** Default: every address, for the kubelet and Prometheus. */
  readonly host?: string
  /** Serves HTTPS instead of HTTP. */
  readonly tls?: ServingPair
  /** Whether the process is to be restarted. Not: whether others work. */
  readonly healthz?: HealthChecks
  /** Whether it does its work, or could. */
  readonly readyz?: HealthChecks
  /** A prom-client registry. */
  readonly metrics?: { readonly contentType: string; metrics (): Promise<string> }
  /** Asked for every request of /metrics. Default: everybody may. */
  readonly authorizeMetrics?: (request: IncomingMessage) => Promise<AccessDecision>
}

export interface HealthServer {
  readonly port: number
  /** A new certificate, for connections from now on. */
  setTls (pair: ServingPair): void
  close (): Promise<void>
}

/**
 * Serves /healthz, /livez (the same), /readyz and /metrics over HTTP, with kube-apiserver's answers: `ok`, or 500 and which checks failed but
 * not why; `?verbose` lists them all. @throws the error of listening
 */
export async function startHealthServer (options: HealthServerOptions): Promise<HealthServer> {
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    answer(options, request, response).catch(() => { response.writeHead(500).end() })
  }
  const secure = options.tls && createSecureServer({ minVersion: 'TLSv1.2', ...options.tls }, onRequest)
  const server: Server | SecureServer = secure ?? createServer(onRequest)
  await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(options.port, options.host, resolve) })
  return {
    port: (server.address() as AddressInfo).port,
    setTls: pair => { secure?.setSecureContext({ minVersion: 'TLSv1.2', ...pair }) },
    close: async () => { await close(server) }
  }
}

async function answer (options: HealthServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
  } else if (pathname === '/metrics' && options.metrics !== undefined) {
    const access = await options.authorizeMetrics?.(request) ?? { allowed: true }
    if (!access.allowed) {
      response.writeHead(access.code, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }).end(access.text)
      return
    }
    const text = await options.metrics.metrics()
    response.writeHead(200, { 'content-type': options.metrics.contentType }).end(text)
  } else if (pathname === '/healthz' || pathname === '/livez' || pathname === '/readyz') {
    const { failed, lines } = await runChecks((pathname === '/readyz' ? options.readyz : options.healthz) ?? {})
    const name = pathname.slice(1)
    response.writeHead(failed ? 500 : 200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
    response.end(failed ? `${lines.join('\n')}\n${name} check failed\n` : searchParams.has('verbose') ? `${lines.join('\n')}\n${name} check passed\n` : 'ok')
  } else {
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n')
  }
}

async function runChecks (checks: HealthChecks): Promise<{ failed: boolean, lines: string[] }> {
  let failed = false
  const lines: string[] = ['[+]ping ok']
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check()
      lines.push(`[+]${name} ok`)
    } catch {
      failed = true
      lines.push(`[-]${name} failed: reason withheld`)
    }
  }
  return { failed, lines }
}

async function close (server: Server | SecureServer): Promise<void> {
  server.closeAllConnections()
  await new Promise<void>(resolve => { server.close(() => { resolve() }) })
}
