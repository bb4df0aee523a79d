import { readFile } from 'node:fs/promises'
import type { Agent } from 'node:http'
import type { RequestOptions } from 'node:https'
import path from 'node:path'
import type { Credentials, CredentialSource } from './credentials.js'

type KubeConfig = import('@kubernetes/client-node').KubeConfig

/**
 * The current context of a kubeconfig file: CA, client certificate, token, token file, basic authentication, exec plugin, proxy, TLS
 * server name. The file is read again every time, so that a replaced one counts; certificates may be in files of their own. What client-go
 * understands and the parser does not is ignored by it, as by every program built on it.
 */
export class KubeconfigCredentials implements CredentialSource {
  readonly #file: string
  #text = ''
  readonly #context: string | undefined
  #config: KubeConfig | undefined

  /** @param context of the file, instead of its current one */
  constructor (file: string, context?: string) {
    this.#file = path.resolve(file)
    this.#context = context
  }

  get name (): string { return this.#file }

  async read (fresh: boolean): Promise<Credentials> {
    try {
      return await this.#read(fresh)
    } catch (cause) {
      throw new Error(`${this.#file}: ${(cause as Error).message}`, { cause })
    }
  }

  async #read (fresh: boolean): Promise<Credentials> {
    // Half a second and 75 MB that a standalone server does not pay for.
    const { KubeConfig } = await import('@kubernetes/client-node')
    const text = await readFile(this.#file, 'utf8')
    if (this.#config === undefined || text !== this.#text || fresh) {
      // A new object forgets the tokens that exec plugins gave.
      const config = new KubeConfig()
      config.loadFromString(text)
      config.makePathsAbsolute(path.dirname(this.#file))
      if (this.#context !== undefined) {
        if (config.getContextObject(this.#context) === null) throw new Error(`there is no context ${JSON.stringify(this.#context)}`)
        config.setCurrentContext(this.#context)
      }
      this.#config = config
      this.#text = text
    }
    const cluster = this.#config.getCurrentCluster()
    if (cluster === null) throw new Error(`the current context ${JSON.stringify(this.#config.currentContext ?? '')} names no cluster`)
    const options: RequestOptions = {}
    await this.#config.applyToHTTPSOptions(options)
    const { ca, cert, key, servername, rejectUnauthorized, auth } = options
    return {
      server: cluster.server.replace(/\/+$/, ''),
      headers: { ...await this.#tokenFile(this.#config.getCurrentUser()?.name), ...headersOf(options.headers as Readonly<Record<string, unknown>> | undefined, auth ?? undefined) },
      tls: {
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(servername !== undefined && { servername }),
        ...(rejectUnauthorized !== undefined && { rejectUnauthorized })
      },
      ...(cluster.proxyUrl && { agent: options.agent as Agent })
    }
  }

  /** `tokenFile` of a user, which the parser leaves out. */
  async #tokenFile (user: string | undefined): Promise<Record<string, string>> {
    if (!this.#text.includes('tokenFile')) return {}
    const { parse } = await import('yaml')
    const { users } = parse(this.#text) as { users?: { name?: string; user?: { tokenFile?: unknown } }[] }
    const file = users?.find(u => u.name === user)?.user?.tokenFile
    return typeof file !== 'string' ? {} : { authorization: `Bearer ${(await readFile(path.resolve(path.dirname(this.#file), file), 'utf8')).trim()}` }
  }
}

function headersOf (headers: Readonly<Record<string, unknown>> | undefined, basic: string | undefined): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers ?? {})) if (typeof value === 'string') out[name.toLowerCase()] = value.trim()
  if (basic !== undefined) out['authorization'] = `Basic ${Buffer.from(basic).toString('base64')}`
  return out
}
