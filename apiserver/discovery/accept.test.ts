import fc from 'fast-check'
import t from 'tap'
import { negotiateMediaType, parseAccept } from './accept.js'

t.test('clauses are sorted by weight, then exact types before wildcards, then as written', async t => {
  const order = (header: string): string[] => parseAccept(header).map(({ type, subtype }) => `${type}/${subtype}`)
  const cases: { name: string; header: string; want: string[] }[] = [
    { name: 'as written', header: 'b/b, a/a', want: ['b/b', 'a/a'] },
    { name: 'weights', header: 'a/a;q=0.1, b/b;q=0.2', want: ['b/b', 'a/a'] },
    { name: 'wildcards last', header: '*/*, a/*, a/a', want: ['a/a', 'a/*', '*/*'] },
    { name: 'a lone star', header: '*', want: ['*/*'] },
    { name: 'malformed clauses are left out', header: 'a, a/b/c, /, a/a', want: ['a/a'] },
    { name: 'an unreadable weight is the least', header: 'a/a;q=x, b/b;q=0.1', want: ['b/b', 'a/a'] }
  ]
  for (const { name, header, want } of cases) t.same(order(header), want, name)
})

t.test('parameters are read in any order and spacing', async t => {
  fc.assert(fc.property(fc.shuffledSubarray(['g=x', ' v = 1', 'as=K ', 'q=0.5', 'flag', 'a=b=c'], { minLength: 6 }), parameters => {
    const [clause] = parseAccept(`application/json;${parameters.join(';')}`)
    t.same([...clause?.params ?? []].sort(), [['as', 'K'], ['g', 'x'], ['v', '1']])
    t.equal(clause?.q, 0.5)
  }))
})

t.test('no header is unreadable', async () => {
  fc.assert(fc.property(fc.string(), header => {
    const chosen = negotiateMediaType(header, ['application/json', 'application/yaml'])
    return chosen === undefined || chosen.startsWith('application/')
  }))
})

t.test('a media type is chosen by the header’s order, else by the server’s', async t => {
  const offered = ['application/json', 'application/yaml'] as const
  t.equal(negotiateMediaType('', offered), 'application/json')
  t.equal(negotiateMediaType('application/yaml, application/json', offered), 'application/yaml')
  t.equal(negotiateMediaType('application/*', offered), 'application/json')
  t.equal(negotiateMediaType('text/plain', offered), undefined)
})
