import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeRequest { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: string }

/** What to answer: a status and a body, or whatever a function does with the response. */
export type FakeAnswer = { readonly code?: number; readonly headers?: Record<string, string>; readonly body?: unknown } | ((response: ServerResponse, request: IncomingMessage) => void)

export interface FakeServer {
  readonly url: string
  readonly requests: FakeRequest[]
  /** Answers in order; after them, `otherwise`. */
  answer (...answers: FakeAnswer[]): void
  otherwise: (request: FakeRequest) => FakeAnswer
}

/** An HTTP server that answers by a script and remembers what it was asked; it ends with the test. */
export async function startFakeServer (t: { teardown (fn: () => Promise<void>): void }): Promise<FakeServer> {
  const answers: FakeAnswer[] = []
  const requests: FakeRequest[] = []
  const fake: FakeServer = { url: '', requests, answer: (...more) => { answers.push(...more) }, otherwise: () => ({ code: 404 }) }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => undefined).on('data', (chunk: Buffer) => { chunks.push(chunk) }).on('end', () => {
      const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() }
      requests.push(seen)
      const answer = answers.shift() ?? fake.otherwise(seen)
      if (typeof answer === 'function') answer(response, request)
      else response.writeHead(answer.code ?? 200, { 'content-type': 'application/json', ...answer.headers }).end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}))
    })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise(resolve => { server.close(resolve) })
  })
  return Object.assign(fake, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}
