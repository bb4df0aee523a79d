import { execFile } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import t from 'tap'
import { Discovery } from '../discovery/discovery.js'
import { serverVersion } from '../discovery/server-version.js'
import { recordedResources } from '../discovery/testdata/resources.js'
import { OpenAPIV2 } from './openapi-v2.js'
import { OpenAPIV3 } from './openapi-v3.js'

/**
 * What kubectl (1.32 and 1.36 alike) prints before kube-apiserver 1.36.3 with the same kinds, as a shell session; without empty lines,
 * and without descriptions where upstream's would be among them.
 */
const sessions = readFileSync(new URL('testdata/kubectl.txt', import.meta.url), 'utf8').split(/^\$ kubectl /m).slice(1).map(text => {
  const end = text.indexOf('\n')
  return { command: text.slice(0, end), output: text.slice(end + 1) }
})

const executable = (path: string): boolean => {
  try { accessSync(path, constants.X_OK); return true } catch { return false }
}
const kubectl = process.env.KUBECTL ?? (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, 'kubectl')).find(executable)

/** The documents alone, over plain HTTP. */
async function serve (): Promise<{ server: Server; url: string; requests: string[] }> {
  const resources = recordedResources()
  const info = { title: 'Annex', version: '0.1.0' }
  const documents = [new Discovery({ resources, version: serverVersion('0.1.0') }), new OpenAPIV3({ resources, info }), new OpenAPIV2({ resources, info })]
  const requests: string[] = []
  const server = createServer((request, response) => {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '/', 'http://localhost')
    for (const document of documents) {
      const answer = document.handle({ path, query, headers: request.headers })
      if (answer === undefined) continue
      requests.push(`${answer.status} ${path}`)
      response.writeHead(answer.status, answer.headers).end(answer.body)
      return
    }
    requests.push(`404 ${path}`)
    response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

/** Everything that does not depend on our wording: headings, field names, types, the user's own descriptions, errors. */
const comparable = (output: string): string[] => {
  const lines = output.split('\n').filter(line => line.trim() !== '')
  const isStructure = (line: string): boolean => /^[A-Z][A-Z ]*:?/.test(line) || /^error|^the server/i.test(line) || line.includes('\t<')
  return output.includes('ObjectMeta') || output.includes('OwnerReference') ? lines.filter(isStructure) : lines
}

t.test('kubectl says the same of our documents as of kube-apiserver’s', { skip: kubectl === undefined && 'there is no kubectl' }, async t => {
  const { server, url, requests } = await serve()
  t.teardown(() => server.close())
  const home = t.testdir()
  const run = (command: string): Promise<string> => new Promise(resolve => {
    const options = { env: { PATH: process.env.PATH, HOME: home, KUBECONFIG: '' }, encoding: 'utf8' as const }
    execFile(kubectl ?? '', [...command.split(' '), `--server=${url}`, `--cache-dir=${join(home, 'cache')}`], options, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
  await Promise.all(sessions.map(async ({ command, output }) => {
    t.same(comparable(await run(command)), comparable(output), command)
  }))
  t.ok(sessions.length >= 15)
  t.ok(requests.includes('200 /openapi/v3/apis/example.com/v1'))

  const members = await run('explain custommetric.metadata')
  t.notMatch(members, '<no description>', 'every member of metadata is described')
  t.match(members, /ObjectMeta is the metadata of every stored object/)
})
