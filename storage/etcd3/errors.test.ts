import { ClientClosedError } from 'etcd3'
import t from 'tap'
import { describeFailure, toStorageError } from './errors.js'

t.test('what etcd and grpc-js say is told apart: refused, never sent, or unknown', async t => {
  // The texts are those of etcd 3.4.23 and 3.6.16, grpc-go and grpc-js 1.14.7.
  const table: Array<[text: string, kind: string, code: string]> = [
    ['11 OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted', 'refused', 'Compacted'],
    ['11 OUT_OF_RANGE: etcdserver: mvcc: required revision is a future revision', 'refused', 'FutureRevision'],
    ['3 INVALID_ARGUMENT: etcdserver: request is too large', 'refused', 'TooLarge'],
    ['8 RESOURCE_EXHAUSTED: grpc: received message larger than max (3145739 vs. 2097152)', 'refused', 'TooLarge'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded', 'refused', 'NoSpace'],
    ['8 RESOURCE_EXHAUSTED: etcdserver: too many requests', 'refused', 'Unavailable'],
    ['7 PERMISSION_DENIED: etcdserver: permission denied', 'refused', 'Unavailable'],
    ['16 UNAUTHENTICATED: etcdserver: invalid auth token', 'refused', 'Unavailable'],
    ['14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:2379. Resolution note: ', 'unsent', 'Unavailable'],
    ['14 UNAVAILABLE: Channel closed before call started', 'unsent', 'Unavailable'],
    ['14 UNAVAILABLE: Name resolution failed for target dns:etcd:2379', 'unsent', 'Unavailable'],
    ['14 UNAVAILABLE: Stream refused by server', 'unsent', 'Unavailable'],
    ['13 INTERNAL: Failed to start HTTP/2 stream with error The session has been destroyed', 'unsent', 'Unavailable'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 1.001s,name resolution: 0.001s,metadata filters: 0.000s,Waiting for LB pick', 'unsent', 'Unavailable'],
    ['4 DEADLINE_EXCEEDED: Deadline exceeded after 1.001s,LB pick: 0.002s,remote_addr=127.0.0.1:2379', 'unknown', 'Unavailable'],
    ['14 UNAVAILABLE: read ECONNRESET', 'unknown', 'Unavailable'],
    ['14 UNAVAILABLE: Connection dropped', 'unknown', 'Unavailable'],
    ['14 UNAVAILABLE: etcdserver: request timed out', 'unknown', 'Unavailable'],
    ['14 UNAVAILABLE: etcdserver: request timed out, possibly due to previous leader failure', 'unknown', 'Unavailable'],
    ['14 UNAVAILABLE: etcdserver: leader changed', 'unknown', 'Unavailable'],
    ['2 UNKNOWN: context canceled', 'unknown', 'Unavailable'],
    ['1 CANCELLED: Call cancelled', 'unknown', 'Unavailable'],
    // Made up by grpc-js for something on the way, not said by etcd.
    ['8 RESOURCE_EXHAUSTED: Bandwidth exhausted or memory limit exceeded', 'unknown', 'Unavailable'],
    ['7 PERMISSION_DENIED: Received HTTP status code 403', 'unknown', 'Unavailable'],
    ['something else', 'unknown', 'Unavailable']
  ]
  for (const [text, kind, code] of table) {
    const failure = describeFailure(new Error(text))
    t.same([failure.kind, failure.code], [kind, code], text)
  }
  t.equal(describeFailure(new ClientClosedError('KV')).kind, 'unsent')
  t.equal(describeFailure('no error object').kind, 'unknown')
})

t.test('an unreachable etcd is described by its endpoints, the reason and what to look at', async t => {
  const failure = describeFailure(new Error('14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:2379. Resolution note: '))
  t.equal(toStorageError(failure, ['http://a:2379', 'http://b:2379']).message,
    'etcd at http://a:2379, http://b:2379 cannot be reached: connect ECONNREFUSED 127.0.0.1:2379. Check that it runs and has a leader, and the configured endpoints and certificates')
})
