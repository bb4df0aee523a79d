import { newRequestEntityTooLarge } from '../../registry/meta/status-error.js'
import type { RequestContext } from '../request-context.js'

/** Reads a body into memory, at most `limit` bytes. @throws StatusError 413; the reason of the request's end when the client goes away */
export function readBody (context: RequestContext, limit: number): Promise<Buffer> {
  const { req } = context
  const tooLarge = (): Error => newRequestEntityTooLarge(`limit is ${limit}`)
  if (Number(context.header('content-length') ?? 0) > limit) return Promise.reject(tooLarge())
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    let ended = false
    const fail = (error: Error): void => {
      req.off('data', data)
      chunks.length = 0
      // The rest of the body is not waited for: once the answer is out the connection, or the stream, ends.
      req.pause()
      context.res.once('finish', () => { req.destroy() })
      reject(error)
    }
    const data = (chunk: Buffer): void => {
      length += chunk.length
      if (length > limit) fail(tooLarge())
      else chunks.push(chunk)
    }
    req.on('data', data)
    req.once('end', () => {
      ended = true
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length))
    })
    req.once('error', fail)
    // Making the error costs more than all the rest here, and every body that was read is closed too.
    req.once('close', () => { if (!ended) reject(context.aborted ?? new Error('the client closed the connection before its body had arrived')) })
  })
}
