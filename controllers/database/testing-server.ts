import { startFakeServer, type FakeServer } from '../testing/fake-server.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'

/** As much of a cluster as lists by label, gets and deletes take: objects by their paths, and what was written, in its order. */
export interface FakeCluster {
  readonly server: FakeServer
  readonly objects: Map<string, KubeObject>
  readonly writes: string[]
}

export async function startFakeCluster (t: Parameters<typeof startFakeServer>[0]): Promise<FakeCluster> {
  const server = await startFakeServer(t)
  const objects = new Map<string, KubeObject>()
  const writes: string[] = []
  const failure = (code: number, reason: string): object => ({ code, body: { kind: 'Status', status: 'Failure', code, reason, message: reason } })
  server.otherwise = ({ method, url, body }) => {
    const { pathname, searchParams } = new URL(url, 'http://x')
    const object = objects.get(pathname)
    if (method !== 'GET') writes.push(`${method} ${pathname}`)
    const selector = searchParams.get('labelSelector')
    if (method === 'GET' && selector !== null) {
      const wanted = selector.split(',').map(term => term.split('='))
      return { body: { kind: 'List', metadata: { resourceVersion: '1' }, items: [...objects].filter(([path, o]) => path.startsWith(`${pathname}/`) && wanted.every(([key = '', value]) => o.metadata.labels?.[key] === value)).map(([, o]) => o) } }
    }
    if (object === undefined) return failure(404, 'NotFound')
    if (method === 'GET') return { body: object }
    if (method === 'PATCH') return { body: object }
    const { preconditions } = JSON.parse(body) as { preconditions?: { uid?: string } }
    if (preconditions?.uid !== object.metadata.uid) return failure(409, 'Conflict')
    // What is deleted goes at once, unless something holds it.
    if (object.metadata.finalizers === undefined) objects.delete(pathname)
    else objects.set(pathname, { ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })
    return { body: {} }
  }
  return { server, objects, writes }
}

