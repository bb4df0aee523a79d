import type { Writable } from 'node:stream'
import type WebSocket from 'ws'
import type { RequestContext } from '../request-context.js'
import { commonHeaders } from './respond.js'

/** Where the bytes of a watch go: the body of an HTTP answer, or the messages of a WebSocket. */
export interface WatchSink {
  /** Sends events, whole lines, in bytes that other watches may be sending too. Answers whether more may follow at once; if not, `onDrain` says when. */
  write (lines: Buffer): boolean
  onDrain (callback: () => void): void
  /** Ends cleanly: the client sees the end of the stream, not a failure. */
  end (): void
  /** Cuts the connection: a client that did not keep up. */
  destroy (): void
}

/** A chunked 200 whose headers are sent at once. */
export function httpSink (context: RequestContext): WatchSink {
  const { res } = context
  context.statusCode = 200
  res.writeHead(200, { ...commonHeaders(context), 'content-type': 'application/json' } as Record<string, string>)
  // HTTP/2 sends headers at once by itself.
  if ('flushHeaders' in res) res.flushHeaders()
  // Once the headers are sent an HTTP/2 response only passes writes on.
  const body: Writable = 'stream' in res ? res.stream : res
  return {
    write: lines => {
      context.responseBytes += lines.length
      return body.write(lines)
    },
    onDrain: callback => { res.once('drain', callback) },
    end: () => { res.end() },
    destroy: () => { (res as { destroy: () => void }).destroy() }
  }
}

/** Bytes a WebSocket may hold unsent before the watch waits for it. */
const webSocketHighWater = 64 * 1024

/** One text message an event. `ws` has no drain event: what waits is asked again when a message has been handed to the socket. */
export function webSocketSink (socket: WebSocket, context: RequestContext): WatchSink {
  let waiting: (() => void) | undefined
  const sent = (): void => {
    if (waiting === undefined || socket.bufferedAmount > webSocketHighWater) return
    const callback = waiting
    waiting = undefined
    callback()
  }
  context.statusCode = 101
  return {
    write: lines => {
      context.responseBytes += lines.length
      for (const line of lines.toString().split('\n')) if (line !== '') socket.send(line, sent)
      return socket.bufferedAmount <= webSocketHighWater
    },
    onDrain: callback => { waiting = callback },
    end: () => { socket.close(1000) },
    destroy: () => { socket.terminate() }
  }
}
