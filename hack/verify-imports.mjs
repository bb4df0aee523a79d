#!/usr/bin/env node
// Holds the table of who may import whom (README "Folders"), and that no module imports itself through others. Exits with 1 and a line
// for each import that breaks it. Type-only imports count too: they are dependencies of the reader.
import fs from 'node:fs'
import path from 'node:path'

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..')

/** Per folder: path prefixes of ours that it may import beside its own. */
const allowed = {
  certs: [],
  storage: [],
  registry: ['storage/interfaces.ts', 'storage/errors.ts', 'storage/cacher/interfaces.ts', 'storage/cacher/cacher.ts', 'storage/kept-bytes.ts'],
  apiserver: ['registry/', 'storage/', 'certs/'],
  // Command lines are read alike by every command.
  controllers: ['registry/meta/', 'registry/codec/', 'certs/', 'apiserver/cli/'],
  plugins: ['controllers/', 'registry/meta/'],
  hack: [''],
  test: ['']
}
/** Operators and plugins may import the types of resources. */
const typesOfResources = /^registry\/[^/]+\.[^/]+\/[^/]+\/types\.ts$/
/** The composition roots, which wire everything, and the one module of another folder each that they start. */
const compositionRoots = { 'apiserver/command.ts': ['controllers/main.ts'] }
/** apiserver/apply is a library that could be published alone. */
const applyLibrary = ['apiserver/apply/', 'registry/codec/', 'registry/meta/', 'registry/schema/structural-schema.ts']
/** Inside registry, from the ground up: a layer imports those before it. */
const registryLayers = ['codec', 'meta', 'schema', 'generic']

const files = []
const walk = dir => {
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'testdata') continue
    const full = path.join(dir, entry.name)
    if (entry.isDirectory()) walk(full)
    else if (entry.name.endsWith('.ts')) files.push(path.relative(root, full))
  }
}
for (const folder of Object.keys(allowed)) if (fs.existsSync(path.join(root, folder))) walk(path.join(root, folder))

const problems = []
const graph = new Map()
for (const file of files) {
  const text = fs.readFileSync(path.join(root, file), 'utf8')
  const imports = []
  for (const [statement, specifier] of text.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'"\n]*?(?:\{[^}]*\}\s*from\s*)?['"](\.[^'"]+)['"]/g)) {
    const target = path.relative(root, path.resolve(root, path.dirname(file), specifier)).replace(/\.js$/, '.ts')
    imports.push({ target, typeOnly: /^\s*(import|export)\s+type\b/.test(statement) })
    check(file, target)
  }
  graph.set(file, imports.filter(i => !i.typeOnly).map(i => i.target))
}

function check (file, target) {
  const test = file.endsWith('.test.ts')
  const [from] = file.split('/')
  const [to] = target.split('/')
  if (from === 'hack' || from === 'test') return
  if (to === 'hack' || to === 'test') {
    if (!test) problems.push(`${file}: imports ${target}; nothing imports ${to}/`)
    return
  }
  if (from !== to && !test && !allowed[from].some(p => target.startsWith(p)) && !(typesOfResources.test(target) && (from === 'controllers' || from === 'plugins')) && !(compositionRoots[file] ?? []).includes(target)) {
    problems.push(`${file}: imports ${target}; ${from}/ may import ${allowed[from].join(', ') || 'nothing of ours'}`)
  }
  if (!test && file.startsWith('apiserver/cli/') && !target.startsWith('apiserver/cli/')) problems.push(`${file}: imports ${target}; command lines stand below everything`)
  if (!test && file.startsWith('apiserver/apply/') && !applyLibrary.some(p => target.startsWith(p))) problems.push(`${file}: imports ${target}; the apply library stands alone`)
  const [a, b] = [file, target].map(f => f.startsWith('registry/') ? registryLayers.indexOf(f.split('/')[1]) : -1)
  // meta and codec describe each other's values: they are one layer.
  if (!test && a >= 0 && b > Math.max(a, 1)) problems.push(`${file}: imports ${target}; ${registryLayers[b]}/ stands above ${registryLayers[a]}/`)
}

const state = new Map()
function visit (file, trail) {
  if (state.get(file) === 'done') return
  if (state.get(file) === 'open') {
    problems.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`)
    return
  }
  state.set(file, 'open')
  for (const next of graph.get(file) ?? []) if (graph.has(next)) visit(next, [...trail, file])
  state.set(file, 'done')
}
for (const file of graph.keys()) visit(file, [])

for (const p of new Set(problems)) console.error(p)
console.log(`${files.length} files, ${new Set(problems).size} forbidden imports`)
process.exit(problems.length > 0 ? 1 : 0)
