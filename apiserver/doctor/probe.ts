import type { X509Certificate } from 'node:crypto'
import { X509Certificate as Certificate } from 'node:crypto'
import { request } from 'node:https'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

export interface Target { readonly host: string; readonly port: number; /** The name that the aggregator asks for. */ readonly serverName: string }

export type Probe =
  /** There was no answer: Node's error code, or `TIMEOUT`. */
  | { readonly type: 'unreachable'; readonly code: string; readonly message: string }
  | { readonly type: 'answered'; readonly status: number; readonly body: string; /** The server's certificate, and those that it sent along. */ readonly chain: readonly X509Certificate[] }

const maxBodyBytes = 64 * 1024

/**
 * Asks a server for a path and for its certificates, whoever it is: nothing is sent that it could misuse, and nothing it answers is
 * believed before its certificate has been looked at.
 */
export function probe (target: Target, path: string, timeoutMs: number): Promise<Probe> {
  return new Promise(resolve => {
    let chain: readonly X509Certificate[] = []
    const sent = request({
      host: target.host, port: target.port, servername: target.serverName, path, agent: false, rejectUnauthorized: false, checkServerIdentity: () => undefined,
      headers: { host: `${target.serverName}:${target.port}`, accept: 'text/plain, */*', 'user-agent': 'annex-doctor' }, signal: AbortSignal.timeout(timeoutMs)
    }, answer => {
      const chunks: Buffer[] = []
      let length = 0
      answer.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length <= maxBodyBytes) chunks.push(chunk)
        else answer.destroy()
      })
      const done = (): void => { resolve({ type: 'answered', status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString(), chain }) }
      answer.on('end', done).on('close', done)
    })
    sent.on('socket', socket => { socket.once('secureConnect', () => { chain = chainOf(socket as TLSSocket) }) })
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // A server that wants a certificate of ours still shows its own.
      if (chain.length > 0) resolve({ type: 'answered', status: 0, body: error.message, chain })
      else resolve({ type: 'unreachable', code: error.name === 'TimeoutError' || error.name === 'AbortError' ? 'TIMEOUT' : codeOf(error), message: error.message })
    })
    sent.end()
  })
}

/** A name with several addresses fails with all their errors in one. */
function codeOf (error: NodeJS.ErrnoException): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0] as NodeJS.ErrnoException)
  return error.code ?? error.message
}

function chainOf (socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  const seen = new Set<string>()
  while (next?.raw !== undefined && !seen.has(next.fingerprint256)) {
    seen.add(next.fingerprint256)
    chain.push(new Certificate(next.raw))
    next = next.issuerCertificate
  }
  return chain
}
