import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ConnectionOptions } from './connection.js'
import type { Command, Reply } from './load-client.js'

type Done = Exclude<Reply, { error: string }>

/** The load client of one server, in a process of its own. One command at a time. */
export class Load {
  readonly #child: ChildProcess
  readonly #endWithUs = (): void => { this.#child.kill('SIGKILL') }

  private constructor (child: ChildProcess) { this.#child = child }

  static async start (options: ConnectionOptions): Promise<Load> {
    const child = fork(fileURLToPath(new URL('load-client.ts', import.meta.url)), { execArgv: ['--import', 'tsx'] })
    const load = new Load(child)
    process.once('exit', load.#endWithUs)
    await load.command({ do: 'connect', options })
    return load
  }

  /** @throws Error with what went wrong there */
  async command (command: Command): Promise<Done> {
    const reply = await new Promise<Reply>((resolve, reject) => {
      const ended = (): void => { reject(new Error('the load client ended')) }
      this.#child.once('exit', ended)
      this.#child.once('message', (message: Reply) => {
        this.#child.off('exit', ended)
        resolve(message)
      })
      this.#child.send(command)
    })
    if ('error' in reply) throw new Error(reply.error)
    return reply
  }

  stop (): void {
    process.removeListener('exit', this.#endWithUs)
    this.#child.kill('SIGKILL')
  }
}
