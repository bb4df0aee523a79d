import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseJson } from './json-parse.js'
import { parseYaml } from './yaml.js'
import { printYaml } from './yaml-print.js'

const fixture = <T>(name: string): T => JSON.parse(readFileSync(new URL(`testdata/${name}.json`, import.meta.url), 'utf8')) as T

/** A test name: what TAP would take for a line break, a directive or a control character is escaped. */
const label = (text: string): string => text.replace(/[^ -~]|[#\\]/gu, c => `\\u{${c.codePointAt(0)!.toString(16)}}`)

t.test('values are printed as sigs.k8s.io/yaml prints them', t => {
  for (const { json, yaml } of fixture<Array<{ json: string; yaml: string }>>('yaml-print')) t.equal(printYaml(parseJson(json).value), yaml, label(json))
  t.end()
})

t.test("kube-apiserver's YAML answers are printed again byte for byte", t => {
  for (const answer of fixture<string[]>('yaml-answers')) t.equal(printYaml(parseYaml(answer).value), answer)
  t.end()
})

t.test('a double beyond the int64 range is printed with the digits that it has in JSON', t => {
  // As kube-apiserver 1.36 answers.
  for (const [literal, text] of [
    ['9223372036854775808', '9223372036854776000'], ['9223372036854775809', '9223372036854776000'], ['-9223372036854775809', '-9.223372036854776e+18'],
    ['10000000000000000000', '10000000000000000000'], ['12345678901234567890', '12345678901234567000'], ['9.3e18', '9300000000000000000'],
    ['18446744073709551615', '1.8446744073709552e+19'], ['123456789012345678901234567890', '1.2345678901234568e+29']
  ] as const) t.equal(printYaml(parseJson(literal).value), `${text}\n`, literal)
  t.end()
})

t.test('an exact integer is printed in full', t => {
  t.equal(printYaml({ a: 9223372036854775807n, b: -9007199254740993n }), 'a: 9223372036854775807\nb: -9007199254740993\n')
  t.end()
})
