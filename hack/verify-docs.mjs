#!/usr/bin/env node
// Every path that a README names in backquotes or links to exists, and what is generated in README.md is current (npm run docs makes it so).
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), '..')
const readmes = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' }).split('\n').filter(f => f !== '' && !f.startsWith('test/conformance/'))
const problems = []
for (const file of readmes) {
  const text = fs.readFileSync(path.join(root, file), 'utf8').replace(/```[\s\S]*?```/g, '')
  const named = [...text.matchAll(/`((?:apiserver|registry|storage|controllers|plugins|certs|cli|hack|test)\/[A-Za-z0-9_./-]+)`/g)].map(m => ({ shown: m[1], full: path.join(root, m[1]) }))
  const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(m => ({ shown: m[1], full: path.resolve(root, path.dirname(file), m[1]) }))
  for (const { shown, full } of [...named, ...linked]) if (!fs.existsSync(full)) problems.push(`${file}: names ${shown}, which does not exist`)
}
for (const p of problems) console.error(p)
console.log(`${readmes.length} documents, ${problems.length} broken references`)
process.exit(problems.length > 0 ? 1 : 0)
