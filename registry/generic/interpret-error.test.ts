import t from 'tap'
import { StorageError, type StorageErrorCode } from '../../storage/errors.js'
import { interpretStorageError } from './interpret-error.js'

const op = { verb: 'create' as const, groupResource: { group: 'example.com', resource: 'webapps' }, name: 'a' }
const status = (code: StorageErrorCode): unknown => interpretStorageError(new StorageError(code, 'etcd did not answer'), op)

t.test('a store that is away is a 503 that says when to come back; a write with an unknown outcome one that does not', async t => {
  for (const code of ['Unavailable', 'Aborted', 'Closed', 'NoSpace'] as const) t.match(status(code), { code: 503, reason: 'ServiceUnavailable', status: { details: { retryAfterSeconds: Number } } }, code)
  // With a Retry-After client-go would send the write again by itself.
  t.match(status('OutcomeUnknown'), {
    code: 503, reason: 'ServiceUnavailable', status: { details: undefined },
    message: 'the create operation against webapps.example.com may or may not have been done: the store did not answer, look before trying again'
  })
})

t.test('what is no failure of a store is left alone', async t => {
  const error = new Error('something else')
  t.equal(interpretStorageError(error, op), error)
})
