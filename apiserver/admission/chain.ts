import type { AdmissionAttributes, AdmissionPlugin, Operation } from './interfaces.js'

/** Asks admission plug-ins in their order; the first that throws refuses the write. */
export class AdmissionChain {
  readonly #plugins: readonly AdmissionPlugin[]

  constructor (plugins: readonly AdmissionPlugin[]) { this.#plugins = plugins }

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
