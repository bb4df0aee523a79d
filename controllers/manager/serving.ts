import type { HealthServer, HealthServerOptions } from '../health-server.js'
import { startHealthServer } from '../health-server.js'
import type { Logger } from '../logger.js'
import type { ManagerConfig } from './manager-options.js'

/** Serves health and metrics over HTTPS, with the certificate of the config, which is followed, or with a self-signed one. @throws CertificateError, and the error of listening */
export async function startServing ({ bindAddress, port, tls }: NonNullable<ManagerConfig['serving']>, options: Omit<HealthServerOptions, 'port' | 'host' | 'tls'>, log: Logger): Promise<HealthServer> {
  const at = { port, host: bindAddress, ...options }
  if (tls === undefined) return await startHealthServer({ ...at, tls: await selfSigned() })
  const { CertificateReloader } = await import('../../certs/reloader.js')
  const serving: { health?: HealthServer } = {}
  const reloader = new CertificateReloader({
    pair: tls,
    onReload: ({ certificatePem: cert, privateKeyPem: key }) => { if (cert !== undefined && key !== undefined) serving.health?.setTls({ cert, key }) },
    onError: err => { log.error({ err }, 'the new serving certificate cannot be used') }
  })
  const { certificatePem: cert = '', privateKeyPem: key = '' } = await reloader.start()
  const health = serving.health = await startHealthServer({ ...at, tls: { cert, key } })
  return {
    ...health,
    close: async () => {
      await reloader.close()
      await health.close()
    }
  }
}

/** For probes, which do not look, and for those who skip verification: there is nobody to vouch for us. */
async function selfSigned (): Promise<{ cert: string, key: string }> {
  const [{ Authority }, { newServingCertificate, servingNames }] = await Promise.all([import('../../certs/authority.js'), import('../../certs/serving-certificate.js')])
  const authority = Authority.create({ commonName: 'annex-controller-manager-ca' })
  const { certificatePem, privateKeyPem } = newServingCertificate(authority, { commonName: 'annex-controller-manager', subjectAltNames: servingNames([]) })
  return { cert: certificatePem + authority.certificatePem, key: privateKeyPem }
}
