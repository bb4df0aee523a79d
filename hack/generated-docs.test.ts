import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { generatedManifests, generatedReadme } from './generated-docs.js'

t.test('README.md lists the flags as they are (npm run docs)', async t => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const name of ['flags', 'controller-manager flags']) t.match(readme, new RegExp(`<!-- ${name} -->\\n[\\s\\S]+<!-- /${name} -->`), 'there is a place for them')
  t.equal(readme, generatedReadme(readme))
})

t.test('hack/deploy has the manifests that install makes (npm run docs)', async t => {
  const generated = await generatedManifests()
  const directory = new URL('deploy/', import.meta.url)
  t.strictSame(readdirSync(directory).filter(name => name.endsWith('.yaml')), Object.keys(generated))
  for (const [name, text] of Object.entries(generated)) t.ok(readFileSync(new URL(name, directory), 'utf8') === text, `${name} is current`)
})
