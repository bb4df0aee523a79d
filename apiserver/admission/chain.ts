import { ManagedFieldsError } from '../apply/errors.js'
import { FieldsV1Cache } from '../apply/fields-v1.js'
import { decodeManagedFields } from '../apply/managers.js'
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

  /**
   * Plug-ins may change the object. If its managedFields are none any more, they become what they were, with a warning (k8s.io/apiserver
   * `NewManagedFieldsValidatingAdmissionController`).
   * @throws StatusError
   */
  async admit (attributes: AdmissionAttributes): Promise<void> {
    const { object, operation } = attributes
    if (object === undefined || !this.#plugins.some(p => p.admit !== undefined && p.mutates !== false && wants(p, operation))) return this.#admit(attributes)
    const before = structuredClone(object.metadata.managedFields)
    await this.#admit(attributes)
    try {
      decodeManagedFields(object.metadata.managedFields, new FieldsV1Cache())
    } catch (error) {
      if (!(error instanceof ManagedFieldsError)) throw error
      if (before === undefined) delete object.metadata.managedFields
      else object.metadata.managedFields = before
      attributes.warn(`.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${error.message}`)
    }
  }

  async #admit (attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) if (plugin.admit !== undefined && wants(plugin, attributes.operation)) await plugin.admit(attributes)
  }

  /** Plug-ins see what will be stored. @throws StatusError */
  async validate (attributes: AdmissionAttributes): Promise<void> {
    for (const plugin of this.#plugins) if (plugin.validate !== undefined && wants(plugin, attributes.operation)) await plugin.validate(attributes)
  }
}

const wants = (plugin: AdmissionPlugin, operation: Operation): boolean => plugin.operations?.includes(operation) ?? true
