import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { deployment } from '../apiserver/install/manifests/workload.js'

// No container engine is needed: an image cannot be built here, so what can be wrong with the files is looked up in them.
const root = fileURLToPath(new URL('..', import.meta.url))
const read = (name: string): string => readFileSync(path.join(root, name), 'utf8')
const packageJson = JSON.parse(read('package.json')) as { bin: { annex: string }; engines: { node: string }; scripts: Record<string, string> }
const buildConfig = JSON.parse(read('tsconfig.build.json')) as { include: string[]; extends: string }

interface Stage { readonly image: string; readonly lines: readonly string[] }
const stages: Stage[] = read('Dockerfile').split(/^FROM /m).slice(1).map(text => {
  const [first = '', ...lines] = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return { image: first, lines }
})
const copied = (stage: Stage): string[] => stage.lines.filter(line => /^COPY (?!--from)/.test(line)).flatMap(line => line.split(' ').slice(1, -1))

t.test('what the Dockerfile copies exists, and .dockerignore lets it through', async t => {
  const allowed = read('.dockerignore').split('\n').filter(line => line.startsWith('!')).map(line => line.slice(1))
  const sources = stages.flatMap(copied)
  t.ok(sources.length > 5)
  for (const source of sources) {
    t.ok(existsSync(path.join(root, source)), `${source} exists`)
    t.ok(allowed.includes(source), `${source} is not ignored`)
  }
  t.strictSame(allowed.filter(name => !sources.includes(name)), [], 'and nothing else is sent to the builder')
})

t.test('the build stage has everything that the build reads', async t => {
  const [build] = stages
  const sources = copied(build!)
  for (const folder of buildConfig.include) t.equal(sources.includes(folder), existsSync(path.join(root, folder)), folder)
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.build.json', path.basename(buildConfig.extends)]) t.ok(sources.includes(name), name)
  t.match(build!.lines.join('\n'), /^RUN npm ci .*\n[\s\S]*^RUN npm run build$/m)
  t.ok(packageJson.scripts['build'])
})

t.test('the image runs the built command, without dev dependencies, as a user that is not root', async t => {
  const image = stages.at(-1)!
  const text = image.lines.join('\n')
  const workdir = /^WORKDIR (\S+)$/m.exec(text)?.[1] ?? ''
  const entrypoint = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(text)?.[1] ?? '[]') as string[]
  t.equal(entrypoint[1], path.posix.join(workdir, packageJson.bin.annex))
  t.match(text, /^COPY --from=build \/src\/package\.json \.\/$/m, 'where the version is read')
  t.match(text, /^COPY --from=build \/src\/dist dist$/m)
  t.match(text, /^COPY --from=dependencies \/src\/node_modules node_modules$/m)
  t.match(stages[1]!.lines.join('\n'), /npm ci --omit=dev/)
  const user = /^USER (\d+):(\d+)$/m.exec(text)
  const { spec } = deployment({ name: 'x', namespace: 'x', component: 'apiserver', replicas: 1, container: {}, pod: {} }) as unknown as { spec: { template: { spec: { securityContext: { runAsUser: number; runAsGroup: number } } } } }
  t.match(spec.template.spec.securityContext, { runAsUser: Number(user?.[1]), runAsGroup: Number(user?.[2]), runAsNonRoot: true }, 'the user of the manifests')
  for (const { image: from } of stages) t.ok(Number(/node(?:js|:)(\d+)/.exec(from)?.[1]) >= Number(/\d+/.exec(packageJson.engines.node)?.[0]), from)
})
