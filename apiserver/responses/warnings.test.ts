import t from 'tap'
import { Warnings } from './warnings.js'

function headersOf (texts: readonly string[]): string[] {
  const warnings = new Warnings()
  for (const text of texts) warnings.add(text)
  return warnings.headers().map(header => Buffer.from(header, 'latin1').toString())
}

const numbered = (count: number, length: number): string[] => Array.from({ length: count }, (_, i) => `${i} `.padEnd(length, 'x'))
const header = (text: string): string => `299 - "${text}"`

t.test('each text once, in order, quoted; what cannot be in a header is dropped', async t => {
  t.same(headersOf(['b', 'a "quoted" \\', '', 'b', 'line\nbreak', 'next\u0085line', 'Zoë']), ['b', 'a \\"quoted\\" \\\\', 'Zoë'].map(header))
})

t.test('4096 characters are sent whole', async t => {
  const texts = numbered(8, 512)
  t.same(headersOf(texts), texts.map(header))
  t.same(headersOf(['💡'.repeat(4096)]), [header('💡'.repeat(4096))], 'characters, not code units')
})

t.test('with one more each is cut to 256 characters', async t => {
  const texts = ['💡'.repeat(300), ...numbered(8, 512), 'short']
  t.same(headersOf(texts), texts.map(text => header([...text].slice(0, 256).join(''))))
})

t.test('nothing is added once the cut ones are as many', async t => {
  t.same(headersOf(numbered(1000, 300)), numbered(16, 300).map(text => header(text.slice(0, 256))))
  t.same(headersOf(numbered(100_000, 48)).length, Math.ceil(4096 / 48))
})
