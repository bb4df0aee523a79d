import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openCompiledCommand } from './compiled-command.js'

// As hack/bundle.mjs writes it; the build itself starts a server of the real one.
const bundle = `(function (module, require, __filename) {
  const { basename } = require('node:path')
  module.exports = { run: async args => [basename(__filename), ...args] }
})`

t.test('the bundle runs, with the code kept of an earlier run and without', async t => {
  const directory = t.testdir({ 'command.cjs': bundle })
  const run = async (command: ReturnType<typeof openCompiledCommand>): Promise<unknown> => command?.exports.run(['version'])

  const first = openCompiledCommand(directory)
  t.equal(first?.codeUsed, false)
  t.strictSame(await run(first), ['command.cjs', 'version'])

  await writeFile(first!.codeFile, first!.code())
  const second = openCompiledCommand(directory)
  t.equal(second?.codeUsed, true)
  t.strictSame(await run(second), ['command.cjs', 'version'])

  // V8 remembers a text that it compiled in this process, whatever the file says.
  await writeFile(join(directory, 'command.cjs'), `${bundle} // another`)
  await writeFile(first!.codeFile, (await readFile(first!.codeFile)).map(byte => byte ^ 0xff))
  const third = openCompiledCommand(directory)
  t.equal(third?.codeUsed, false, 'what V8 refuses is compiled')
  t.strictSame(await run(third), ['command.cjs', 'version'])

  await writeFile(join(directory, 'command.cjs'), `${bundle} // yet another`)
  await truncate(first!.codeFile, 0)
  t.equal(openCompiledCommand(directory)?.codeUsed, false)
})

t.test('among the sources there is none', t => {
  t.equal(openCompiledCommand(), undefined)
  t.throws(() => openCompiledCommand(join(t.testdir({ 'command.cjs': {} }))), { code: 'EISDIR' }, 'but a file that cannot be read is an error')
  t.end()
})
