import t from 'tap'
import type { JsonValue } from '../codec/value.js'
import { compileJsonPath, JsonPathEvaluationError, JsonPathSyntaxError } from './json-path.js'

const object: JsonValue = {
  spec: { replicas: 3, ratio: 1.5, none: null, text: 'x y', ports: [{ port: 80, name: 'a' }, { port: 443, name: 'b' }, { port: 8080 }], map: { 'k.1': 'v', list: [1, 2, [3]] }, empty: [] },
  metadata: { annotations: { 'foo.bar/baz': 'q' } },
  status: { conditions: [{ type: 'Ready', status: 'True', n: 1, f: 1.5 }, { type: 'Done', status: 'False', n: 2, flag: true }] }
}

const found: readonly (readonly [path: string, values: JsonValue[]])[] = [
  ['.spec.replicas', [3]],
  ['$.spec.replicas', [3]],
  ['.spec .replicas', [3]],
  ['.spec.missing', []],
  ['.spec.none', [null]],
  ['.spec.none.below', []],
  ['.spec.text.below', []],
  ['.metadata.annotations.foo\\.bar/baz', ['q']],
  [".metadata.annotations['foo\\.bar/baz']", ['q']],
  ['.spec.ports[*].port', [80, 443, 8080]],
  ['.spec.ports.*.name', ['a', 'b']],
  ['.spec.ports[0].name', ['a']],
  ['.spec.ports[-1].port', [8080]],
  ['.spec.ports[0:2].port', [80, 443]],
  ['.spec.ports[:-1].port', [80, 443]],
  ['.spec.ports[::2].port', [80, 8080]],
  ['.spec.ports[1:1].port', []],
  ['.spec.ports[0,2].port', [80, 8080]],
  [".spec['replicas', 'text']", [3, 'x y']],
  ['.spec.map.list[2][0]', [3]],
  ['.spec.empty[*]', []],
  ['.spec..port', [80, 443, 8080]],
  ['.spec.map.*', ['v', [1, 2, [3]]]],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  [".status.conditions[?(@.type != 'Ready')].status", ['False']],
  ['.status.conditions[?(@.n>=1)].type', ['Ready', 'Done']],
  ['.status.conditions[?(@.n>1)].type', ['Done']],
  ['.status.conditions[?(@.f==1.5)].type', ['Ready']],
  ['.status.conditions[?(@.flag)].type', ['Done']],
  ['.status.conditions[?(@.flag==true)].type', ['Done']],
  ['.status.conditions[?(@.type=="a)b")].status', []],
  ['"text"', ['text']],
  ["'te\\'xt\\u0041'", ["te'xtA"]]
]

t.test('paths find what client-go\'s jsonpath finds', async t => {
  for (const [path, values] of found) t.same(compileJsonPath(path).evaluate(object), values, path)
})

t.test('a compiled path can be used again', async t => {
  const path = compileJsonPath('.spec.ports[-1].port')
  t.same(path.evaluate(object), [8080])
  t.same(path.evaluate({ spec: { ports: [{ port: 1 }] } }), [1])
})

t.test('what a path cannot be applied to is an evaluation error', async t => {
  for (const path of ['.spec.ports[5]', '.spec.empty[0]', '.spec.ports[-9]', '.spec.ports[1:0]', '.spec.ports[0:3:0]', '.spec.text[0]', '.spec[?(@.x)]', '.status.conditions[?(@.n==1.0)].type',
    '.status.conditions[?(@.n<"a")].type', '.status.conditions[?(@.flag<true)]', '.status.conditions[?(@.type="x")]', '.status.conditions[?(@.type==Ready)]', 'spec.replicas']) {
    t.throws(() => compileJsonPath(path).evaluate(object), JsonPathEvaluationError, path)
  }
})

t.test('malformed paths are refused when they are compiled', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['.spec[', 'unterminated array'], ['.spec.ports[a]', 'invalid array index a'], ['.spec.ports[ 0 ]', 'invalid array index  0 '], ['.spec.ports[-]', 'array index - is not a number'],
    ['.spec.ports[?(@.port', 'unterminated filter'], ['.spec.ports[?(@.port)', 'unclosed array expect ]'], ['....', 'invalid multiple recursive descent'],
    ['"text', 'unterminated quoted string'], ['!x', "unrecognized character in action: U+0021 '!'"], ['.spec.x\\', 'unclosed action'], ['.a}{.b', 'only one expression is supported'], ['-', 'cannot parse number -']
  ]
  for (const [path, message] of table) t.throws(() => compileJsonPath(path), new JsonPathSyntaxError(message), path)
})
