import { readFileSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import type { ApiserverConfig } from '../options/apiserver-options.js'
import { serveCertificates } from './served-certificates.js'

t.test('the kubeconfig has the admin certificate that was renewed', async t => {
  const directory = t.testdir()
  const pkiDir = path.join(directory, 'pki')
  const kubeconfigFile = path.join(directory, 'kubeconfig')
  const config = { pkiDir, kubeconfigFile, serving: { sans: [] }, authentication: {} } as unknown as ApiserverConfig
  const closers: (() => Promise<void> | void)[] = []
  t.teardown(async () => { for (const close of closers) await close() })
  const certificates = await serveCertificates(config, pino({ level: 'silent' }), closers, { client: undefined, further: () => [], onChange: () => undefined })
  const embedded = (): string => Buffer.from(/client-certificate-data: (.*)/.exec(readFileSync(kubeconfigFile, 'utf8'))![1]!, 'base64').toString()
  await certificates.writeKubeconfig('https://127.0.0.1:8443')
  const first = embedded()

  // What is missing is made again, as what is due.
  rmSync(path.join(pkiDir, 'admin.crt'))
  await certificates.renew()
  t.not(embedded(), first)
  t.equal(embedded(), readFileSync(path.join(pkiDir, 'admin.crt'), 'utf8'))
  t.match(readFileSync(kubeconfigFile, 'utf8'), 'server: "https://127.0.0.1:8443"')
  t.equal(statSync(kubeconfigFile).mode & 0o777, 0o600)
})
