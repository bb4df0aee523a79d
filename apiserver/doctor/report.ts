/** The links of the chain from a client to the store, in the order in which a request takes them. */
export const links = ['cluster', 'apiservices', 'service', 'endpoints', 'connection', 'certificate', 'front-proxy', 'rbac', 'discovery', 'store'] as const
export type Link = typeof links[number]

/** Everything that doctor can name, with what it means. */
export const faults = {
  ClusterUnreachable: 'kube-apiserver does not answer',
  APIServiceMissing: 'a group version is not registered',
  APIServiceOfAnotherServer: 'a group version is registered for another server',
  InsecureSkipTLSVerify: 'the aggregator does not verify whom it talks to',
  CABundleMissing: 'the aggregator has nothing to verify the server by',
  ServiceNotFound: 'an APIService names a Service that does not exist',
  ServicePortMissing: 'an APIService names a port that the Service does not have',
  NoReadyEndpoints: 'no Pod behind the Service is ready',
  ConnectionRefused: 'nothing listens where the Service leads',
  ServiceUnreachable: 'the control plane does not get through to the Pods',
  CertificateUntrusted: 'the serving certificate is not one of the caBundle',
  CertificateNameMismatch: 'the serving certificate is not for the name that the aggregator asks for',
  CertificateExpired: 'the serving certificate, or its authority, has expired',
  CertificateNotYetValid: 'the serving certificate is from the future: a clock is wrong',
  RequestHeaderConfigMissing: 'the cluster does not publish the authority of its front proxy',
  FrontProxyCAExpired: 'the published authority of the front proxy has expired',
  FrontProxyRefused: 'the server does not trust the front proxy',
  AuthDelegatorMissing: 'the server may not ask who users are and what they may do',
  AuthenticationReaderMissing: 'the server may not read how users and the front proxy are authenticated',
  ServerRoleMissing: 'the server lacks rights that it needs for its own work',
  APIServiceUnavailable: 'kube-apiserver says that a group version is not available',
  GroupVersionNotServed: 'the server behind the Service does not serve a group version',
  AnotherServerAnswers: 'what answers does not have the resources that it should have',
  StoreUnavailable: 'the server does not reach its store',
  ServerNotReady: 'the server is not ready',
  CheckFailed: 'a link could not be looked into'
} as const
export type Fault = keyof typeof faults

export type Finding =
  | { readonly link: Link; readonly state: 'ok' | 'skipped'; readonly message: string }
  | { readonly link: Link; readonly state: 'failed'; readonly fault: Fault; readonly message: string; /** A command, or what to look at. */ readonly fix: string }

/** What was found, link by link. */
export class Report {
  readonly #findings: Finding[] = []

  ok (link: Link, message: string): void { this.#findings.push({ link, state: 'ok', message }) }
  skip (link: Link, message: string): void { this.#findings.push({ link, state: 'skipped', message }) }
  fail (link: Link, fault: Fault, message: string, fix: string): void { this.#findings.push({ link, state: 'failed', fault, message, fix }) }

  has (link: Link): boolean { return this.#findings.some(f => f.link === link) }
  failed (...of: readonly Link[]): boolean { return this.#findings.some(f => f.state === 'failed' && of.includes(f.link)) }

  /** In the order of the chain. */
  get findings (): readonly Finding[] {
    return this.#findings.toSorted((a, b) => links.indexOf(a.link) - links.indexOf(b.link))
  }

  /** The names of what is broken, without repeats. */
  get faults (): readonly Fault[] { return [...new Set(this.findings.flatMap(f => f.state === 'failed' ? [f.fault] : []))] }

  text (): string {
    const lines = this.findings.flatMap(f => {
      const head = `${f.state.padEnd(9)}${f.link.padEnd(13)}`
      const indent = ' '.repeat(head.length)
      return f.state === 'failed' ? [`${head}${f.fault}: ${f.message}`, `${indent}fix: ${f.fix.replaceAll('\n', `\n${indent}     `)}`] : [`${head}${f.message}`]
    })
    const { faults } = this
    return `${lines.join('\n')}\n\n${faults.length === 0 ? 'Nothing is broken.' : `Broken: ${faults.join(', ')}`}\n`
  }

  json (): string {
    return JSON.stringify({ ok: this.faults.length === 0, faults: this.faults, links: this.findings }, null, 2) + '\n'
  }
}
