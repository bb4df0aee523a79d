import { readFileSync } from 'node:fs'
import t from 'tap'
import { generatedReadme } from './generated-docs.js'

t.test('README.md lists the flags as they are (npm run docs)', async t => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const name of ['flags', 'controller-manager flags']) t.match(readme, new RegExp(`<!-- ${name} -->\\n[\\s\\S]+<!-- /${name} -->`), 'there is a place for them')
  t.equal(readme, generatedReadme(readme))
})
