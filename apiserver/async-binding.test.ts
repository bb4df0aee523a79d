import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'

/** What a process that has bound nothing before prints; the module itself is `bindPlainly`. */
function printed (directory: string, script: string): unknown {
  const source = readFileSync(new URL('async-binding.ts', import.meta.url), 'utf8')
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } })
  writeFileSync(join(directory, 'main.mjs'), `${outputText}\n${script}`)
  return JSON.parse(execFileSync(process.execPath, [join(directory, 'main.mjs')], { encoding: 'utf8' }))
}

t.test('a bound function runs in its resource, with its this, its arguments and its result', async t => {
  t.strictSame(printed(t.testdir(), `
    import { AsyncLocalStorage, executionAsyncId } from 'node:async_hooks'
    bindPlainly()
    bindPlainly()
    const resource = new AsyncResource('test')
    const at = resource.bind(function (a, b) { return [this?.name, a, b, executionAsyncId() === resource.asyncId()] })
    const storage = new AsyncLocalStorage()
    const here = storage.run('inside', () => AsyncResource.bind(() => storage.getStore()))
    const snapshot = storage.run('then', () => AsyncLocalStorage.snapshot())
    let refused
    try { resource.bind(5) } catch (error) { refused = error.name }
    let thrown
    try { resource.bind(() => { throw new Error('mine') })() } catch (error) { thrown = error.message }
    console.log(JSON.stringify([
      at.call({ name: 'caller' }, 1, 2), resource.bind(function () { return this.name }, { name: 'bound' }).call({ name: 'caller' }), here(), snapshot(() => storage.getStore()), refused, thrown, at.asyncResource
    ]))`), [['caller', 1, 2, true], 'bound', 'inside', 'then', 'TypeError', 'mine', null])
})

t.test('what requests over HTTP/2 leave behind dies young', async t => {
  const survivors = (first: string): number => printed(t.testdir(), `
    import { connect, createServer } from 'node:http2'
    import { getHeapSpaceStatistics } from 'node:v8'
    ${first}
    const server = createServer((req, res) => { res.end('x') })
    await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
    const session = connect('http://127.0.0.1:' + server.address().port)
    const call = () => new Promise((resolve, reject) => { session.request({ ':path': '/' }).on('data', () => {}).on('close', resolve).on('error', reject) })
    const old = () => getHeapSpaceStatistics().find(space => space.space_name === 'old_space').space_used_size
    for (let i = 0; i < 500; i++) await call()
    const before = old()
    let most = 0
    for (let i = 0; i < 3000; i++) { await call(); most = Math.max(most, old() - before) }
    console.log(most)
    session.destroy()
    server.close()`) as number
  const plainly = survivors('bindPlainly()')
  const otherwise = survivors('')
  t.comment(`the old generation grew by ${plainly} bytes, otherwise by ${otherwise}`)
  t.ok(plainly < 3_000_000)
  if (Number(process.versions.node.split('.')[0]) === 20) t.ok(otherwise > 2 * plainly, 'the accessor of Node 20 is the reason')
})
