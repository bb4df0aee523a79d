import t from 'tap'
import { startControlPlane } from '../fixtures/control-plane.js'
import { startAnnex, registerAnnex, servedGroupVersions } from '../fixtures/control-plane-annex.js'
t.test('x', async t => {
console.time('cp')
const cp = await startControlPlane(t)
console.timeEnd('cp')
console.time('annex')
const annex = await startAnnex(cp)
console.timeEnd('annex')
const groupVersions = await servedGroupVersions(cp, annex)
console.log(groupVersions)
console.time('register')
await registerAnnex(cp, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions })
console.timeEnd('register')
console.log((await cp.kubectl(['get','databases.mycompany.io,wa,custommetrics', '-A'])))
})
