import fc from 'fast-check'
import t from 'tap'
import { FieldSet } from './field-set.js'
import { FieldsV1Cache, parseFieldsV1, printFieldsV1 } from './fields-v1.js'
import { fieldElement, formatPath, indexElement, keyElement, parseElement, valueElement, type Path } from './path-element.js'

const element = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', '').map(fieldElement) },
  fc.record({ name: fc.constantFrom('x', 'y'), port: fc.integer({ min: 1, max: 2 }) }).map(keyElement),
  fc.oneof(fc.constantFrom('s', '<&>', 'ü', '"'), fc.integer({ min: 0, max: 3 }), fc.boolean()).map(valueElement),
  fc.integer({ min: 0, max: 3 }).map(indexElement))
const path: fc.Arbitrary<Path> = fc.array(element, { minLength: 1, maxLength: 4 })
const paths = fc.array(path, { maxLength: 12 })
const set = paths.map(p => FieldSet.of(...p))
const holds = <T extends unknown[]> (t: { pass: () => unknown }, property: fc.IProperty<T>): void => {
  fc.assert(property, { numRuns: 300 })
  t.pass()
}

t.test('a set has the paths put into it and no others', async t => {
  holds(t, fc.property(paths, path, (all, one) => {
    const set = FieldSet.of(...all)
    const wanted = all.some(p => p.join() === one.join())
    return set.has(one) === wanted && all.every(p => set.has(p)) && set.size === new Set(all.map(p => p.join('\0'))).size && set.paths().length === set.size
  }))
})

t.test('union, intersection and difference are those of the paths', async t => {
  const pathsOf = (s: FieldSet): Set<string> => new Set(s.paths().map(p => p.join('\0')))
  holds(t, fc.property(set, set, (a, b) => {
    const [x, y] = [pathsOf(a), pathsOf(b)]
    const is = (s: FieldSet, want: Iterable<string>): boolean => JSON.stringify([...pathsOf(s)].sort()) === JSON.stringify([...want].sort())
    return is(a.union(b), new Set([...x, ...y])) && is(a.intersection(b), [...x].filter(p => y.has(p))) && is(a.difference(b), [...x].filter(p => !y.has(p))) &&
      is(a.recursiveDifference(b), [...x].filter(p => ![...y].some(q => p === q || p.startsWith(q + '\0')))) &&
      is(a.leaves(), [...x].filter(p => ![...x].some(q => q.startsWith(p + '\0'))))
  }))
})

t.test('the laws of set algebra hold', async t => {
  holds(t, fc.property(set, set, set, (a, b, c) =>
    a.union(b).equals(b.union(a)) && a.intersection(b).equals(b.intersection(a)) &&
    a.union(b.union(c)).equals(a.union(b).union(c)) && a.intersection(b.intersection(c)).equals(a.intersection(b).intersection(c)) &&
    a.intersection(b.union(c)).equals(a.intersection(b).union(a.intersection(c))) && a.difference(b.union(c)).equals(a.difference(b).difference(c)) &&
    a.difference(b).union(a.intersection(b)).equals(a) && a.difference(a).isEmpty && a.union(a).equals(a)))
})

t.test('an operation that changes nothing returns the same set', async t => {
  holds(t, fc.property(set, set, (a, b) =>
    a.union(a.intersection(b)) === a && a.difference(b.difference(a)) === a && a.intersection(a.union(b)) === a && a.union(FieldSet.empty) === a))
})

t.test('FieldsV1 round trips', async t => {
  const cache = new FieldsV1Cache()
  holds(t, fc.property(set, s => {
    const json = printFieldsV1(s)
    const again: unknown = JSON.parse(JSON.stringify(json))
    return parseFieldsV1(json).equals(s) && parseFieldsV1(again as typeof json).equals(s) && cache.parse(json).equals(s) && (s.isEmpty || cache.print(cache.parse(json)) === json)
  }))
})

t.test('FieldsV1 spellings', async t => {
  const table = [
    { name: 'a leaf', json: { 'f:a': {} }, canonical: { 'f:a': {} } },
    { name: 'a container that is owned too', json: { 'f:a': { '.': {}, 'f:b': {} } }, canonical: { 'f:a': { '.': {}, 'f:b': {} } } },
    { name: 'a dot alone', json: { 'f:a': { '.': {} } }, canonical: { 'f:a': {} } },
    { name: 'null for a leaf', json: { 'f:a': null }, canonical: { 'f:a': {} } },
    { name: 'unknown kinds of elements are dropped', json: { 'f:a': { 'z:new': { 'f:x': {} } }, 'q:': {} }, canonical: { 'f:a': {} } },
    { name: 'keys in another order and spacing', json: { 'k:{ "b" : 1.0, "a":"x"}': {} }, canonical: { 'k:{"a":"x","b":1}': {} } },
    { name: 'two spellings of one element', json: { 'v:"A"': { 'f:x': {} }, 'v:"\\u0041"': { 'f:y': {} } }, canonical: { 'v:"A"': { 'f:x': {}, 'f:y': {} } } },
    { name: 'values are escaped as Go escapes them', json: { 'v:"<&>"': {} }, canonical: { 'v:"\\u003c\\u0026\\u003e"': {} } },
    { name: 'a number that a double cannot hold', json: { 'v:9007199254740993': {}, 'k:{"id":9007199254740993,"s":"12345678901234567890"}': {} }, canonical: { 'v:9007199254740993': {}, 'k:{"id":9007199254740993,"s":"12345678901234567890"}': {} } },
    { name: 'nothing', json: {}, canonical: {} }
  ]
  for (const { name, json, canonical } of table) t.strictSame(printFieldsV1(parseFieldsV1(json)), canonical, name)
})

t.test('what is no FieldsV1 is refused', async t => {
  const table = [{ a: {} }, { f: {} }, { 'fa': {} }, { 'f:a': 5 }, { 'f:a': [] }, { 'f:a': { 'i:x': {} } }, { 'v:{': {} }, { 'k:[]': {} }, { 'k:5': {} }, { 'v:': {} }, [], 'text', 5]
  for (const json of table) {
    t.throws(() => parseFieldsV1(json as never), SyntaxError, JSON.stringify(json))
  }
  t.equal(parseElement('q:whatever'), undefined)
})

t.test('paths are listed by level, and printed as messages print them', async t => {
  const set = FieldSet.of([fieldElement('b'), fieldElement('c')], [fieldElement('z')], [fieldElement('a')], [fieldElement('a'), keyElement({ port: 10, proto: 'x' })],
    [fieldElement('a'), keyElement({ port: 9, proto: 'x' }), fieldElement('n')], [fieldElement('a'), keyElement({ port: 9, proto: 'x' })], [fieldElement('s'), valueElement('q')], [fieldElement('s'), valueElement(2)], [fieldElement('s'), valueElement(10)], [fieldElement('l'), indexElement(10)], [fieldElement('l'), indexElement(9)])
  t.strictSame(set.paths().map(formatPath), ['.a', '.z', '.a[port=9,proto="x"]', '.a[port=10,proto="x"]', '.a[port=9,proto="x"].n', '.b.c', '.l[9]', '.l[10]', '.s[=2]', '.s[=10]', '.s[="q"]'])
})
