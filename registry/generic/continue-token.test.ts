import fc from 'fast-check'
import t from 'tap'
import { ContinueTokenError, decodeContinue, encodeContinue } from './continue-token.js'

const prefix = '/registry/g/things/ns/'

t.test('a token leads to right behind the last key, at its revision', async () => {
  fc.assert(fc.property(fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?$/), fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }), (name, revision) => {
    const token = decodeContinue(prefix, encodeContinue(prefix, prefix + name, revision))
    return token.startKey === `${prefix}${name}\0` && token.revision === revision
  }))
})

t.test('the token is the one of kube-apiserver', async t => {
  t.equal(Buffer.from(encodeContinue(prefix, `${prefix}la`, 316n), 'base64url').toString(), '{"v":"meta.k8s.io/v1","rv":316,"start":"la\\u0000"}')
})

t.test('what is no token is refused', async t => {
  const token = (o: object): string => Buffer.from(JSON.stringify(o)).toString('base64url')
  for (const [text, message] of [
    ['!', /^continue key is not valid: illegal base64 data at input byte 0$/],
    ['garbage', /^continue key is not valid: invalid character/],
    [token({ v: 'v9', rv: 1, start: 'a' }), /does not recognize this encoded version v9$/],
    [token({ v: 'meta.k8s.io/v1', rv: 0, start: 'a' }), /incorrect encoded start resourceVersion/],
    [token({ v: 'meta.k8s.io/v1', rv: 1, start: '' }), /encoded start key empty/],
    [token({ v: 'meta.k8s.io/v1', rv: 1, start: '../other/secret' }), /^continue key is not valid: \.\.\/other\/secret$/],
    [token({ v: 'meta.k8s.io/v1', rv: 1, start: 'a/../../b' }), /^continue key is not valid/]
  ] as const) {
    try {
      decodeContinue(prefix, text)
      t.fail(`${text} was accepted`)
    } catch (error) {
      t.ok(error instanceof ContinueTokenError)
      t.match((error as Error).message, message)
    }
  }
})
