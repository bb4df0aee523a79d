import { fork } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { parse } from 'yaml'
import { Authority, dayMs } from './authority.js'
import { newClientCertificate } from './client-certificate.js'
import { withDirectoryLock } from './directory-lock.js'
import type { CertificateError } from './errors.js'
import { FileWatcher } from './file-watcher.js'
import { formatCertificates, inspectDirectory } from './inspect.js'
import { parseKeyPair, type KeyPair } from './key-pair.js'
import { writeKubeconfig } from './kubeconfig.js'
import { ensurePki } from './pki-directory.js'
import { CertificateReloader, type ReloadedCertificates } from './reloader.js'
import { newServingCertificate, servingNames } from './serving-certificate.js'

const self = fileURLToPath(import.meta.url)
if (process.send !== undefined && process.argv[2] === 'ensure') {
  const pki = await ensurePki({ directory: process.argv[3]!, sans: ['a.example'] })
  process.send({ ca: pki.ca.certificatePem, serving: pki.serving.certificatePem, key: pki.serving.privateKeyPem, changes: pki.changes.length })
} else {
  await tests()
}

async function tests (): Promise<void> {
  t.test('ensurePki makes everything with tight modes, and nothing the second time', async t => {
    const directory = path.join(t.testdir(), 'data', 'pki')
    const first = await ensurePki({ directory, sans: ['a.example'] })
    t.equal(first.changes.length, 3)
    t.equal((await stat(directory)).mode & 0o777, 0o700)
    t.same((await readdir(directory)).sort(), ['admin.crt', 'admin.key', 'apiserver.crt', 'apiserver.key', 'ca.crt', 'ca.key'])
    for (const name of ['admin', 'apiserver', 'ca']) t.equal((await stat(path.join(directory, `${name}.key`))).mode & 0o777, 0o600)
    const { chain: [admin] } = parseKeyPair(first.admin, 'c', 'k')
    t.equal(admin!.subject, 'O=system:masters\nCN=kubernetes-admin')
    const second = await ensurePki({ directory, sans: ['a.example'] })
    t.same(second, { ...first, changes: [] })
  })

  t.test('changed names and passed time renew the certificate but keep key and authority', async t => {
    const directory = t.testdir()
    const first = await ensurePki({ directory, sans: ['a.example'] })
    const renamed = await ensurePki({ directory, sans: ['b.example'] })
    t.match(renamed.changes, [/apiserver\.crt: issued because it lacks the names b\.example/])
    t.not(renamed.serving.certificatePem, first.serving.certificatePem)
    t.equal(renamed.serving.privateKeyPem, first.serving.privateKeyPem)
    t.equal(renamed.ca.certificatePem, first.ca.certificatePem)
    t.equal(renamed.admin.certificatePem, first.admin.certificatePem)
    const soon = await ensurePki({ directory, sans: ['b.example'], now: new Date(renamed.serving.renewAt.getTime() - 60_000) })
    t.same(soon.changes, [])
    const later = await ensurePki({ directory, sans: ['b.example'], now: new Date(renamed.serving.renewAt.getTime() + 60_000) })
    t.match(later.changes, [/apiserver\.crt: issued because two thirds/, /admin\.crt: issued because two thirds/])
    const muchLater = await ensurePki({ directory, sans: ['b.example'], now: new Date(Date.now() + 800 * dayMs) })
    t.equal(muchLater.changes.length, 2, 'expired while nobody was running')
  })

  t.test('what a crash between two writes leaves is completed', async t => {
    for (const lost of ['ca.crt', 'apiserver.crt', 'apiserver.key', 'admin.crt']) {
      const directory = t.testdir()
      await ensurePki({ directory, sans: [] })
      await rm(path.join(directory, lost))
      const pki = await ensurePki({ directory, sans: [] })
      t.equal(pki.changes.length, 1, lost)
      parseKeyPair(pki.serving, 'c', 'k')
      t.same((await ensurePki({ directory, sans: [] })).changes, [])
    }
  })

  t.test('ca.key may be kept elsewhere until something must be signed', async t => {
    const directory = t.testdir()
    await ensurePki({ directory, sans: [] })
    await rm(path.join(directory, 'ca.key'))
    t.same((await ensurePki({ directory, sans: [] })).changes, [])
    await t.rejects(ensurePki({ directory, sans: ['new.example'] }), { code: 'Missing', message: /ca\.key: is needed to sign apiserver\.crt \(it lacks the names new\.example\); put it back/ })
  })

  t.test('files that do not fit are reported by name with the fix, and never overwritten', async t => {
    const other = Authority.create({ commonName: 'other' })
    const foreign = newServingCertificate(other, { subjectAltNames: servingNames([]) })
    const cases: [string, Record<string, string>, string, RegExp][] = [
      ['a foreign pair', { 'apiserver.crt': foreign.certificatePem, 'apiserver.key': foreign.privateKeyPem }, 'Mismatch', /apiserver\.crt: was not issued for this use by .*ca\.crt .*delete apiserver\.crt and apiserver\.key/],
      ['a foreign key', { 'apiserver.key': foreign.privateKeyPem }, 'Mismatch', /apiserver\.key: is not the private key of the certificate in .*apiserver\.crt; delete/],
      ['garbage', { 'admin.crt': 'garbage' }, 'Malformed', /admin\.crt: holds no certificate in PEM form; delete/],
      ['a foreign authority key', { 'ca.key': other.privateKeyPem }, 'Mismatch', /ca\.key: is not the private key/],
      ['a leaf as authority', { 'ca.crt': foreign.certificatePem, 'ca.key': foreign.privateKeyPem }, 'Untrusted', /ca\.crt: is not the certificate of an authority/]
    ]
    for (const [name, files, code, message] of cases) {
      const directory = t.testdir()
      await ensurePki({ directory, sans: [] })
      for (const [file, content] of Object.entries(files)) await writeFile(path.join(directory, file), content)
      await t.rejects(ensurePki({ directory, sans: [] }), { code, message }, name)
      for (const [file, content] of Object.entries(files)) t.equal(await readFile(path.join(directory, file), 'utf8'), content)
    }
    const directory = t.testdir({ 'apiserver.crt': {} })
    await t.rejects(ensurePki({ directory, sans: [] }), { code: 'Unreadable', message: /apiserver\.crt: cannot be read \(EISDIR\)/ })
    await t.rejects(ensurePki({ directory: path.join(directory, 'file'), sans: ['not valid'] }), { code: 'InvalidName' })
    await writeFile(path.join(directory, 'file'), '')
    await t.rejects(ensurePki({ directory: path.join(directory, 'file', 'pki'), sans: [] }), { code: 'Unreadable', message: /cannot be created \(ENOTDIR\)/ })
    const expired = t.testdir()
    await ensurePki({ directory: expired, sans: [] })
    await t.rejects(ensurePki({ directory: expired, sans: [], now: new Date(Date.now() + 4000 * dayMs) }), { code: 'NotCurrent', message: /ca\.crt: the authority expired on .*; delete the directory/ })
  })

  t.test('processes and calls that begin at once end with the same files', async t => {
    const directory = path.join(t.testdir(), 'pki')
    const children = [1, 2, 3].map(() => fork(self, ['ensure', directory], { execArgv: process.execArgv }))
    const answers = await Promise.all(children.map(child => new Promise<{ ca: string; changes: number }>((resolve, reject) => {
      // tsx sends messages of its own.
      child.on('message', message => { if (message !== null && typeof message === 'object' && 'ca' in message) resolve(message as { ca: string; changes: number }) })
      child.on('exit', code => reject(new Error(`exit ${code}`)))
    })))
    t.equal(answers.reduce((sum, a) => sum + a.changes, 0), 3, 'each thing was made once')
    for (const a of answers) t.same({ ...a, changes: 0 }, { ...answers[0], changes: 0 })
    const inside = path.join(t.testdir(), 'pki2')
    const pkis = await Promise.all([1, 2, 3, 4].map(() => ensurePki({ directory: inside, sans: [] })))
    t.equal(pkis.reduce((sum, p) => sum + p.changes.length, 0), 3)
    t.same((await readdir(inside)).filter(f => f.startsWith('.')), [], 'no lock or temporary file is left')
  })

  t.test('a lock left by a dead process is taken over, a living one is respected', async t => {
    const directory = t.testdir({ '.lock': '999999999 dead' })
    t.equal(await withDirectoryLock(directory, async () => 'done', { timeoutMs: 5000 }), 'done')
    await writeFile(path.join(directory, '.lock'), `${process.ppid} alive`)
    await t.rejects(withDirectoryLock(directory, async () => 'done', { timeoutMs: 60 }), { code: 'Locked', message: /\.lock: another process/ })
    t.equal(await readFile(path.join(directory, '.lock'), 'utf8'), `${process.ppid} alive`)
    await new Promise(resolve => setTimeout(resolve, 20))
    t.equal(await withDirectoryLock(directory, async () => 'done', { staleAfterMs: 10, timeoutMs: 5000 }), 'done', 'an old lock counts as left behind')
  })

  t.test('a kubeconfig embeds everything, is private, and is only rewritten when it differs', async t => {
    const ca = Authority.create({ commonName: 'annex-ca' })
    const client = newClientCertificate(ca, { user: 'kubernetes-admin', groups: ['system:masters'] })
    const file = path.join(t.testdir(), 'kubeconfig')
    const options = { path: file, server: 'https://127.0.0.1:8443', certificateAuthorityPem: ca.certificatePem, client }
    t.equal(await writeKubeconfig(options), true)
    const { ino, mode } = await stat(file)
    t.equal(mode & 0o777, 0o600)
    await chmod(file, 0o644)
    t.equal(await writeKubeconfig(options), false)
    t.equal((await stat(file)).ino, ino)
    t.equal((await stat(file)).mode & 0o777, 0o600, 'a loosened mode is tightened')
    const config = parse(await readFile(file, 'utf8')) as { clusters: [{ cluster: Record<string, string> }]; users: [{ user: Record<string, string> }]; 'current-context': string }
    t.equal(config['current-context'], 'annex')
    t.equal(config.clusters[0].cluster['server'], 'https://127.0.0.1:8443')
    t.equal(Buffer.from(config.clusters[0].cluster['certificate-authority-data']!, 'base64').toString(), ca.certificatePem)
    t.equal(Buffer.from(config.users[0].user['client-key-data']!, 'base64').toString(), client.privateKeyPem)
    t.equal(await writeKubeconfig({ ...options, server: 'https://127.0.0.1:8444' }), true)
    await t.rejects(writeKubeconfig({ ...options, path: path.join(file, 'below') }), { code: 'Unreadable' })
  })

  t.test('inspection names subject, names, expiry and problems', async t => {
    const directory = t.testdir({ 'junk.crt': 'junk' })
    await ensurePki({ directory, sans: ['a.example'] })
    await writeFile(path.join(directory, 'admin.key'), await readFile(path.join(directory, 'ca.key')))
    const summaries = await inspectDirectory(directory)
    t.same(summaries.map(s => path.basename(s.file)), ['admin.crt', 'apiserver.crt', 'ca.crt', 'junk.crt'])
    const text = formatCertificates(summaries)
    t.match(text, /subject: O=system:masters, CN=kubernetes-admin/)
    t.match(text, /names: +localhost, a\.example, 127\.0\.0\.1, ::1/)
    t.match(text, /usage: +certificate authority/)
    t.match(text, /\(364 days left\)|\(365 days left\)/)
    t.match(text, /problem: .*admin\.key is not its private key/)
    t.match(text, /junk\.crt\n {2}problem: .*holds no certificate/)
    t.match(formatCertificates(await inspectDirectory(directory, new Date(Date.now() + 400 * dayMs)), new Date(Date.now() + 400 * dayMs)), /\(expired\)[^]*problem: expired on/)
    await t.rejects(inspectDirectory(path.join(directory, 'none')), { code: 'Unreadable' })
  })

  const ca = Authority.create({ commonName: 'annex-ca' })
  const pairs = [1, 2, 3].map(() => newServingCertificate(ca, { subjectAltNames: servingNames([]) }))

  class Recorder {
    readonly reloads: ReloadedCertificates[] = []
    readonly errors: CertificateError[] = []
    #wake: (() => void) | undefined
    readonly onReload = (c: ReloadedCertificates): void => { this.reloads.push(c); this.#wake?.() }
    readonly onError = (e: CertificateError): void => { this.errors.push(e); this.#wake?.() }
    async until (condition: () => boolean): Promise<void> {
      // Watchers do not keep a process alive; this does.
      const alive = setInterval(() => undefined, 1000)
      while (!condition()) await new Promise<void>(resolve => { this.#wake = resolve })
      clearInterval(alive)
    }
  }
  const write = async (dir: string, pair: KeyPair): Promise<void> => {
    await writeFile(path.join(dir, 'tls.crt'), pair.certificatePem)
    await writeFile(path.join(dir, 'tls.key'), pair.privateKeyPem)
  }

  t.test('the reloader hands over a replaced pair, and only complete ones', async t => {
    const dir = t.testdir({ 'ca.crt': ca.certificatePem })
    await write(dir, pairs[0]!)
    const seen = new Recorder()
    const reloader = new CertificateReloader({ pair: { certificateFile: path.join(dir, 'tls.crt'), keyFile: path.join(dir, 'tls.key') }, certificateAuthorityFiles: [path.join(dir, 'ca.crt')], onReload: seen.onReload, onError: seen.onError, settleMs: 5, graceMs: 30_000 })
    t.teardown(() => reloader.close())
    t.equal((await reloader.start()).certificatePem, pairs[0]!.certificatePem)
    await writeFile(path.join(dir, 'tls.crt'), pairs[1]!.certificatePem)
    await reloader.check()
    t.same(seen.reloads, [], 'half a change is not handed over')
    await writeFile(path.join(dir, 'tls.key'), pairs[1]!.privateKeyPem)
    await seen.until(() => seen.reloads.length === 1)
    t.same(seen.reloads[0], { certificatePem: pairs[1]!.certificatePem, privateKeyPem: pairs[1]!.privateKeyPem, certificateAuthorityPem: ca.certificatePem })
    const second = Authority.create({ commonName: 'second' })
    await writeFile(path.join(dir, 'ca.crt'), ca.certificatePem + second.certificatePem)
    await seen.until(() => seen.reloads.some(r => r.certificateAuthorityPem === ca.certificatePem + second.certificatePem))
    await writeFile(path.join(dir, 'ca.crt'), ca.certificatePem + second.certificatePem)
    await reloader.check()
    t.same(seen.errors, [])
  })

  t.test('a bad new pair is reported once, the old one stays, and a later good one is taken', async t => {
    const dir = t.testdir()
    await write(dir, pairs[0]!)
    const seen = new Recorder()
    const reloader = new CertificateReloader({ pair: { certificateFile: path.join(dir, 'tls.crt'), keyFile: path.join(dir, 'tls.key') }, onReload: seen.onReload, onError: seen.onError, settleMs: 5, graceMs: 30 })
    t.teardown(() => reloader.close())
    await reloader.start()
    await writeFile(path.join(dir, 'tls.key'), pairs[1]!.privateKeyPem)
    await seen.until(() => seen.errors.length === 1)
    t.match(seen.errors[0], { code: 'Mismatch', message: /tls\.key: is not the private key/ })
    await rm(path.join(dir, 'tls.key'))
    await seen.until(() => seen.errors.length === 2)
    t.match(seen.errors[1], { code: 'Unreadable', message: /tls\.key: cannot be read/ })
    t.same(seen.reloads, [])
    await writeFile(path.join(dir, 'tls.key'), pairs[0]!.privateKeyPem)
    await reloader.check()
    t.same(seen.reloads, [], 'back to what is in use is no change')
    await write(dir, pairs[2]!)
    await seen.until(() => seen.reloads.length === 1)
    t.equal(seen.reloads[0]!.privateKeyPem, pairs[2]!.privateKeyPem)
  })

  t.test('the link swap of a mounted Secret is noticed', async t => {
    const dir = t.testdir({ '..one': {}, '..two': {} })
    await write(path.join(dir, '..one'), pairs[0]!)
    await write(path.join(dir, '..two'), pairs[1]!)
    await symlink('..one', path.join(dir, '..data'))
    for (const f of ['tls.crt', 'tls.key']) await symlink(path.join('..data', f), path.join(dir, f))
    const seen = new Recorder()
    const reloader = new CertificateReloader({ pair: { certificateFile: path.join(dir, 'tls.crt'), keyFile: path.join(dir, 'tls.key') }, onReload: seen.onReload, onError: seen.onError, settleMs: 5, pollIntervalMs: 600_000 })
    t.teardown(() => reloader.close())
    await reloader.start()
    await symlink('..two', path.join(dir, '..data_tmp'))
    await rename(path.join(dir, '..data_tmp'), path.join(dir, '..data'))
    await seen.until(() => seen.reloads.length === 1)
    t.equal(seen.reloads[0]!.certificatePem, pairs[1]!.certificatePem)
    t.same(seen.errors, [])
  })

  t.test('without notifications polling finds the change', async t => {
    const dir = t.testdir()
    const hidden = path.join(dir, 'later')
    const seen = new Recorder()
    let contents = ''
    const watcher = new FileWatcher({ files: [path.join(hidden, 'f')], pollIntervalMs: 10, onChange: c => { contents = c.get(path.join(hidden, 'f')) ?? ''; seen.onReload({} as ReloadedCertificates) }, onError: error => { t.error(error) } })
    t.equal((await watcher.start()).get(path.join(hidden, 'f')), undefined)
    t.teardown(() => watcher.close())
    // The directory did not exist at the start, so it is not watched.
    await mkdir(hidden)
    await writeFile(path.join(hidden, 'f.tmp'), 'text')
    await rename(path.join(hidden, 'f.tmp'), path.join(hidden, 'f'))
    await seen.until(() => seen.reloads.length > 0)
    t.equal(contents, 'text')
  })

  t.test('a bad set at the start is an error', async t => {
    const dir = t.testdir({ 'tls.crt': pairs[0]!.certificatePem, 'tls.key': pairs[1]!.privateKeyPem })
    const reloader = new CertificateReloader({ pair: { certificateFile: path.join(dir, 'tls.crt'), keyFile: path.join(dir, 'tls.key') }, onReload: () => { t.fail() }, onError: () => { t.fail() } })
    await t.rejects(reloader.start(), { code: 'Mismatch' })
  })
}
