import { execPath } from 'node:process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { registerAnnex, servedGroupVersions, startAnnex } from '../fixtures/control-plane-annex.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { startControlPlane, type ControlPlane } from '../fixtures/control-plane.js'
import { startServer } from '../fixtures/server.js'

const conformance = fileURLToPath(new URL('../conformance', import.meta.url))
const seed = Number(process.env['ANNEX_E2E_SEED'] ?? 77)
const runs = Number(process.env['ANNEX_E2E_RUNS'] ?? 40)

/**
 * The same random requests to a kube-apiserver that has our kinds as CustomResourceDefinitions and to Annex: directly, and through the
 * aggregator of another kube-apiserver. ANNEX_E2E_SEED and ANNEX_E2E_RUNS repeat or lengthen a run.
 */
t.setTimeout(240_000 + runs * 14_000)

t.test('Annex answers random requests as kube-apiserver does', async t => {
  const [crds, aggregated] = await Promise.all([startControlPlane(t), startControlPlane(t)])
  const flags = [`--crd-file=${join(conformance, 'crds-extra')}`]
  const annex = await startAnnex(aggregated, { flags })
  await registerAnnex(aggregated, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions: await servedGroupVersions(aggregated, annex) })
  const applied = await crds.kubectl(['apply', '-f', join(conformance, 'crds'), '-f', join(conformance, 'crds-extra')])
  t.equal(applied.code, 0, applied.stderr)
  const established = await crds.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=110s'])
  t.equal(established.code, 0, established.stderr)
  await watchable(crds)
  const left = crds.pki.write('differential', crds.admin)
  const admin = aggregated.pki.write('differential', aggregated.admin)

  // Directly there is nobody to make namespaces, so that one is standalone: it does not ask for them.
  const standalone = await startServer(t, flags)
  const targets = [
    ['directly', standalone.url, standalone.adminCert, standalone.adminKey, []],
    ['through the aggregator', aggregated.server, admin.certificateFile, admin.keyFile, ['--core-right']]
  ] as const

  for (const [where, server, certificate, key, more] of targets) {
    t.test(`${where}, ${runs} runs of seed ${seed}`, async t => {
      const { code, stdout, stderr } = await crds.run(execPath, [
        join(conformance, 'differential.mjs'), '--seed', String(seed), '--runs', String(runs), ...more,
        '--left', crds.server, '--left-cert', left.certificateFile, '--left-key', left.keyFile, '--right', server, '--right-cert', certificate, '--right-key', key
      ], { timeoutMs: 120_000 + runs * 7_000 })
      t.match(stdout.trim().split('\n').at(-1), new RegExp(`^${runs} of ${runs} runs equal, [1-9]\\d* requests compared, 0 kinds of difference$`), stdout.slice(0, 20_000))
      t.equal(code, 0, stderr)
      t.comment(stdout.trim().split('\n').at(-1))
    })
  }
})

interface Crd { spec: { group: string; names: { plural: string }; versions: { name: string }[] } }

/** An established CustomResourceDefinition answers watches with 500 until the cache of each of its versions is filled. */
async function watchable (controlPlane: ControlPlane): Promise<void> {
  const { client } = controlPlane.admin
  const { items } = (await client.request<{ items: Crd[] }>('GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions')).json()
  const paths = items.flatMap(({ spec }) => spec.versions.map(v => `/apis/${spec.group}/${v.name}/${spec.names.plural}?watch=true&timeoutSeconds=1`))
  await Promise.all(paths.map(path => until(`GET ${path} to be answered`, async () => (await client.request('GET', path)).status === 200)))
}
