import t from 'tap'
import { parseFieldSelector, requiredValue } from './field-selector.js'

t.test('terms, operators and escapes', async t => {
  const fields: Record<string, string> = { 'metadata.name': 'a', 'spec.x': 'b=c,d\\' }
  const of = (f: string): string => fields[f] ?? ''
  for (const [selector, expected] of [
    ['metadata.name=a', true], ['metadata.name==a', true], ['metadata.name!=a', false], ['metadata.name=b', false],
    ['metadata.name=a,spec.x!=z', true], ['spec.x=b\\=c\\,d\\\\', true], ['', true], [',metadata.name=a,', true], ['status.none=', true]
  ] as const) t.equal(parseFieldSelector(selector).matches(of), expected, selector)
  t.equal(requiredValue(parseFieldSelector('a!=1,b=2'), 'b'), '2')
  t.equal(requiredValue(parseFieldSelector('b!=2'), 'b'), undefined)
})

t.test('what is no selector is refused in upstream’s words', async t => {
  for (const [selector, message] of Object.entries({
    x: "invalid selector: 'x'; can't understand 'x'",
    'a=b=c': 'invalid field selector: unescaped character in value: 61',
    'a=\\q': 'invalid field selector: invalid escape sequence: \\q',
    'a=\\': 'invalid field selector: invalid escape sequence: \\'
  })) t.throws(() => parseFieldSelector(selector), { name: 'SelectorError', message })
})
