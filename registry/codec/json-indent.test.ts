import fc from 'fast-check'
import t from 'tap'
import { indentJson } from './json-indent.js'

t.test('indents as JSON.stringify with two spaces', t => {
  fc.assert(fc.property(fc.jsonValue(), value => indentJson(JSON.stringify(value)) === JSON.stringify(value, null, 2)))
  t.end()
})

t.test('leaves numbers, escapes and the order of members as they are', t => {
  t.equal(indentJson('{"b":9223372036854775807,"a":[1.0,"\\\\\\"{,:}\\u003c\\\\"],"c":{},"d":[]}'),
    '{\n  "b": 9223372036854775807,\n  "a": [\n    1.0,\n    "\\\\\\"{,:}\\u003c\\\\"\n  ],\n  "c": {},\n  "d": []\n}')
  t.end()
})
