import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'

// In a process that has compiled nothing: the young generation of this one has grown already.
const script = (first: string): string => `${first}
  import { getHeapSpaceStatistics as spaces } from 'node:v8'
  let kept = []
  for (let turn = 0; turn < 1500; turn++) {
    // Half survive for a while, which is what makes V8 let it grow.
    for (let i = 0; i < 300; i++) kept.push({ turn, i, text: [turn, i] })
    if (turn % 100 === 0) kept = kept.slice(kept.length >>> 1)
    await new Promise(resolve => { setImmediate(resolve) })
  }
  console.log(spaces().find(space => space.space_name === 'new_space').space_size)`

t.test('the young generation stops growing, whatever is allocated', t => {
  const source = readFileSync(new URL('young-generation.ts', import.meta.url), 'utf8')
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } })
  const directory = t.testdir()
  const bytes = (first: string): number => {
    writeFileSync(join(directory, 'main.mjs'), `${outputText}\n${script(first)}`)
    return Number(execFileSync(process.execPath, [join(directory, 'main.mjs')], { encoding: 'utf8' }))
  }
  const bound = bytes('boundYoungGeneration()')
  const free = bytes('')
  t.comment(`${bound} and ${free} bytes`)
  t.ok(bound <= 16 << 20)
  t.ok(bound < free, 'without the bound it is larger')
  t.end()
})
