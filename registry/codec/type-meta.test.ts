import t from 'tap'
import { describeBody } from './describe-body.js'
import { interpretTypeMeta } from './type-meta.js'
import type { JsonValue } from './value.js'

const structType = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'

t.test('kind and apiVersion are found as upstream finds them', t => {
  const table: Array<[JsonValue, [string, string, string] | string]> = [
    [{ apiVersion: 'g/v1', kind: 'Widget' }, ['g', 'v1', 'Widget']], [{ apiVersion: 'v1' }, ['', 'v1', '']], [{}, ['', '', '']], [null, ['', '', '']],
    [{ apiVersion: '/', kind: null }, ['', '', '']], [{ apiVersion: 'g/' }, ['g', '', '']], [{ apiVersion: '/v1' }, ['', 'v1', '']],
    [{ KIND: 'A', APIVersion: 'v1' }, ['', 'v1', 'A']], [{ kind: 'A', Kind: 'B' }, ['', '', 'B']], [{ '\u212aind': 'A' }, ['', '', 'A']], [{ 'k\u0131nd': 'A' }, ['', '', '']],
    [{ apiVersion: 'a/b/c' }, 'unexpected GroupVersion string: a/b/c'],
    [[], `couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type ${structType}`],
    ['x', `couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type ${structType}`],
    [5n, `couldn't get version/kind; json parse error: json: cannot unmarshal number into Go value of type ${structType}`],
    [true, `couldn't get version/kind; json parse error: json: cannot unmarshal bool into Go value of type ${structType}`],
    [{ kind: 5, apiVersion: 6 }, "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string"],
    [{ apiVersion: {}, kind: 5 }, "couldn't get version/kind; json parse error: json: cannot unmarshal object into Go struct field .apiVersion of type string"]
  ]
  for (const [value, expected] of table) {
    if (typeof expected === 'string') {
      t.throws(() => interpretTypeMeta(value), { message: expected })
    } else {
      const { group, version, kind } = interpretTypeMeta(value)
      t.strictSame([group, version, kind], expected)
    }
  }
  t.end()
})

t.test('a body is described by its first thirty bytes', t => {
  const table: Array<[string, string]> = [
    ['', '<empty>'], ['{}', '{}'], ['{"a":"' + 'é'.repeat(20), '{"a":"' + 'é'.repeat(12) + ' ...'], ['hi', '6869'], ['x'.repeat(30), '78'.repeat(30)], ['x'.repeat(31), '78'.repeat(30) + ' ...'],
    ['{' + 'x'.repeat(29), '{' + 'x'.repeat(29)], [' {}', '207b7d']
  ]
  for (const [body, text] of table) t.equal(describeBody(Buffer.from(body)), text, JSON.stringify(body))
  t.end()
})
