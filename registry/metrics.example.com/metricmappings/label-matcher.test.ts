import fc from 'fast-check'
import t from 'tap'
import { labelMatcher, MatcherError } from './label-matcher.js'
import { nameTemplate, TemplateError } from './name-template.js'

t.test('Matchers compare as those of Prometheus', async t => {
  for (const [operator, value, matching, others] of [
    ['=', 'a', ['a'], ['', 'ab', 'A']],
    ['=', '', [''], ['a']],
    ['!=', 'a', ['', 'ab'], ['a']],
    ['=~', 'a|b', ['a', 'b'], ['ab', 'xa', '']],
    ['=~', 'web-.*', ['web-', 'web-0', 'web-\n0'], ['my-web-0']],
    ['=~', '', [''], ['a']],
    ['=~', '(?i)get', ['get', 'GET'], ['gets']],
    ['!~', '5..', ['200', '', '5000'], ['503']],
    ['=~', '^a$', ['a'], ['ba']]
  ] as const) {
    const { matches } = labelMatcher('x', operator, value)
    for (const text of matching) t.ok(matches(text), `${operator}${value} ${JSON.stringify(text)}`)
    for (const text of others) t.notOk(matches(text), `${operator}${value} ${JSON.stringify(text)}`)
  }
  for (const value of ['(', 'a{1001}', '(?=a)', '\\1', '[b-a]', '((a{100}){100}){100}']) t.throws(() => labelMatcher('x', '=~', value), MatcherError, value)
})

t.test('An expression matches itself when it is quoted, and its negation never', async () => {
  fc.assert(fc.property(fc.string(), fc.string(), (value, other) => {
    const quoted = value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    return labelMatcher('x', '=~', quoted).matches(value) && !labelMatcher('x', '!~', quoted).matches(value) &&
      labelMatcher('x', '=~', quoted).matches(other) === (other === value)
  }))
})

t.test('An expression that would take others for ever takes a moment', async t => {
  t.notOk(labelMatcher('x', '=~', '(x+x+)+y').matches('x'.repeat(10_000)))
})

t.test('Names are made of labels', async t => {
  const labels: Record<string, string> = { job: 'web', __name__: 'requests_total' }
  for (const [text, expected] of [['plain', 'plain'], ['${job}', 'web'], ['a-${job}:${__name__}|x', 'a-web:requests_total|x'], ['$job $', '$job $'], ['${none}', undefined], ['a}b', 'a}b']] as const) {
    t.equal(nameTemplate(text).expand(l => labels[l]), expected, text)
  }
  t.same(nameTemplate('${a}${b}').labels, ['a', 'b'])
  for (const text of ['${', 'a${b', '${}']) t.throws(() => nameTemplate(text), TemplateError, text)
})
