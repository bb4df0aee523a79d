/** Writes what README.md says of the command line from the flags themselves. Run by `npm run docs`; a test fails when it is out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { generatedReadme } from './generated-docs.js'

const file = new URL('../README.md', import.meta.url)
writeFileSync(file, generatedReadme(readFileSync(file, 'utf8')))
