/** Writes what is made from the code: README.md's flags and the manifests of hack/deploy. Run by `npm run docs`; a test fails when they are out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { generatedManifests, generatedReadme } from './generated-docs.js'

const file = new URL('../README.md', import.meta.url)
writeFileSync(file, generatedReadme(readFileSync(file, 'utf8')))
for (const [name, text] of Object.entries(await generatedManifests())) writeFileSync(new URL(`deploy/${name}`, import.meta.url), text)
