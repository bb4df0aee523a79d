import type { AdmissionAttributes, AdmissionPlugin, Operation } from './interfaces.js'

/** Asks admission plug-ins in their order; the first that throws refuses the write. */
export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[]

  constructor (plugins: readonly AdmissionPlugin[]) { this.#plugins = plugins }

  /** The chain of those who want to be asked about a resource; undefined if there is nobody. */
  of ({ group, resource }: { readonly group: string; readonly resource: string }): AdmissionChain | undefined {
    const plugins = this.#plugins.filter(({ resource: only }) => only === undefined || (only.group === group && only.resource === resource))
    return plugins.length > 0 ? new AdmissionChain(plugins) : undefined
  }

  /** Whether anybody has to be asked about an operation. */
  handles (operation: Operation): boolean {
    return this.#plugins.some(plugin => wants(plugin, operation))
  }

  /** Plug-ins may change the object. @throws StatusError */
  async admit (attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) if (plugin.admit !== undefined && wants(plugin, attributes.operation)) await plugin.admit(attributes)
  }

  /** Plug-ins see what will be stored. @throws StatusError */
  async validate (attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) if (plugin.validate !== undefined && wants(plugin, attributes.operation)) await plugin.validate(attributes)
  }
}

const wants = (plugin: AdmissionPlugin, operation: Operation): boolean => plugin.operations?.includes(operation) ?? true
