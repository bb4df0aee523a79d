import fc from 'fast-check'
import t from 'tap'
import { labelSelectorOf, parseLabelSelector, SelectorError } from './label-selector.js'

const matching: readonly { selector: string; yes: Record<string, string>[]; no: Record<string, string>[] }[] = [
  { selector: '', yes: [{}, { a: 'b' }], no: [] },
  { selector: 'a', yes: [{ a: '' }, { a: 'x' }], no: [{}, { b: 'x' }] },
  { selector: '!a', yes: [{}, { b: '' }], no: [{ a: '' }] },
  { selector: 'a=b', yes: [{ a: 'b' }], no: [{}, { a: 'c' }] },
  { selector: 'a == b', yes: [{ a: 'b' }], no: [{ a: 'c' }] },
  { selector: 'a=', yes: [{ a: '' }], no: [{}, { a: 'x' }] },
  { selector: 'a!=b', yes: [{}, { a: 'c' }], no: [{ a: 'b' }] },
  { selector: 'a in (b, c)', yes: [{ a: 'b' }, { a: 'c' }], no: [{}, { a: 'd' }] },
  { selector: 'a in ()', yes: [{ a: '' }], no: [{ a: 'b' }] },
  { selector: 'a in (b,)', yes: [{ a: 'b' }, { a: '' }], no: [{ a: 'c' }] },
  { selector: 'a notin (b)', yes: [{}, { a: 'c' }], no: [{ a: 'b' }] },
  { selector: 'in in (in)', yes: [{ in: 'in' }], no: [{}] },
  { selector: 'a>1,a<3', yes: [{ a: '2' }], no: [{}, { a: '1' }, { a: '3' }, { a: 'x' }] },
  { selector: 'a>9223372036854775806', yes: [{ a: '9223372036854775807' }], no: [{ a: '9223372036854775806' }, { a: '9223372036854775808' }] },
  { selector: 'example.com/a=b,!c', yes: [{ 'example.com/a': 'b' }], no: [{ 'example.com/a': 'b', c: '' }] }
]

t.test('selectors match what they say', async t => {
  for (const { selector, yes, no } of matching) {
    const parsed = parseLabelSelector(selector)
    for (const labels of yes) t.ok(parsed.matches(labels), `${selector} matches ${JSON.stringify(labels)}`)
    for (const labels of no) t.notOk(parsed.matches(labels), `${selector} does not match ${JSON.stringify(labels)}`)
  }
  t.ok(parseLabelSelector('!a').matches(undefined))
})

t.test('what is no selector is refused in upstream’s words', async t => {
  const refused = {
    '=a': "found '=', expected: !, identifier, or 'end of string'",
    'a b': "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    'a=b=c': "found '=', expected: ',' or 'end of string'",
    'a in (b': "unable to parse requirement: found '', expected: ',' or ')'",
    'a in b': "unable to parse requirement: found 'b' expected: '('",
    'a,': "found '', expected: identifier after ','",
    'a>x': "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"
  }
  for (const [selector, message] of Object.entries(refused)) t.throws(() => parseLabelSelector(selector), { name: 'SelectorError', message })
  t.throws(() => parseLabelSelector('Bad_Key!=x y'), SelectorError)
  t.match(thrown(() => parseLabelSelector('a=!')), /found '!', expected: identifier/)
  t.match(thrown(() => parseLabelSelector('a=b$')), /values\[0\]\[a\]: Invalid value: "b\$"/)
})

t.test('any set of labels is matched by the selector made of it, and by no other value', async () => {
  const key = fc.stringMatching(/^[a-z]([-a-z0-9.]{0,8}[a-z0-9])?$/)
  const value = fc.stringMatching(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])?)?$/)
  fc.assert(fc.property(fc.dictionary(key, value, { noNullPrototype: true }), labels => {
    const parsed = parseLabelSelector(Object.entries(labels).map(([k, v]) => `${k}=${v}`).join(','))
    const negated = Object.entries(labels).map(([k, v]) => parseLabelSelector(`${k}!=${v}`))
    return parsed.matches(labels) && negated.every(s => !s.matches(labels))
  }))
})

t.test('selectors of objects', async t => {
  const selector = labelSelectorOf({ matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'NotIn', values: ['d'] }, { key: 'e', operator: 'Exists' }] })
  t.ok(selector.matches({ a: 'b', e: '' }))
  t.notOk(selector.matches({ a: 'b', c: 'd', e: '' }))
  t.throws(() => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), SelectorError)
})

function thrown (f: () => void): string {
  try { f() } catch (error) { return (error as Error).message }
  return ''
}
