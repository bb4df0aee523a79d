import type { Revision } from '../../storage/interfaces.js'
import { keptText } from '../../storage/kept-bytes.js'
import { parseStored } from '../codec/stored.js'
import { printJson } from '../codec/json-print.js'
import { asJson, type KubeObject, type ObjectMeta } from '../meta/object-meta.js'
import { fromStorageVersion } from './conversion.js'
import type { Resource, ResourceVersion } from './resource.js'
import { fieldValue } from './selectable-fields.js'
import { readableMeta } from './stored-meta.js'

/**
 * One object at one revision, as bytes. The JSON of the storage version is made once, when the object changes, and sent as it is to every
 * reader and watcher; other versions and views are made on first use and kept. Immutable: `object()` always returns a fresh copy.
 */
export class ServedObject {
  readonly resource: Resource
  readonly revision: Revision
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly #bytes: Buffer
  #views: Map<string, Buffer> | undefined
  #fields: Map<string, string> | undefined

  private constructor (resource: Resource, revision: Revision, meta: ObjectMeta, bytes: Buffer) {
    this.resource = resource
    this.revision = revision
    this.namespace = meta.namespace ?? ''
    this.name = meta.name ?? ''
    this.uid = meta.uid ?? ''
    this.labels = meta.labels
    this.#bytes = bytes
  }

  /**
   * From an object in the storage version; its resourceVersion is set to the revision. Does not keep the object.
   * Without a revision it is an object that was not stored (a dry run of a create).
   */
  static of (resource: Resource, object: KubeObject, revision: Revision | undefined): ServedObject {
    if (revision === undefined) delete object.metadata.resourceVersion
    else object.metadata.resourceVersion = revision.toString()
    return new ServedObject(resource, revision ?? 0n, object.metadata, keptText(printJson(asJson(object))))
  }

  /** From what the store holds. Defaults that the schema gained since the object was written are filled in. @throws SyntaxError */
  static fromStored (resource: Resource, value: Buffer, revision: Revision | undefined): ServedObject {
    const object = parseStored(value) as unknown as KubeObject
    object.metadata = readableMeta(asJson(object)['metadata']) as ObjectMeta
    const schema = resource.storageVersion.compiled
    schema.prune(asJson(object))
    schema.coerceEmbedded(asJson(object), { dropInvalid: true })
    schema.applyDefaults(asJson(object))
    return ServedObject.of(resource, object, revision)
  }

  /** The same content under another revision: what a DELETED event carries. */
  withRevision (revision: Revision): ServedObject {
    return ServedObject.of(this.resource, this.storageObject(), revision)
  }

  /** A fresh copy in the storage version. */
  storageObject (): KubeObject { return parseStored(this.#bytes) as unknown as KubeObject }

  /** A fresh copy in a served version. */
  object (version: ResourceVersion): KubeObject { return fromStorageVersion(version, this.storageObject()) }

  /** The JSON of the object in a served version. */
  bytes (version: ResourceVersion): Buffer {
    return version.storage ? this.#bytes : this.view(`v:${version.name}`, () => printJson(asJson(this.object(version))))
  }

  /** A derived representation, of a text that is made once per object and name. */
  view (name: string, make: () => string): Buffer {
    const views = this.#views ??= new Map()
    let bytes = views.get(name)
    if (bytes === undefined) views.set(name, bytes = keptText(make()))
    return bytes
  }

  /** The value of a selectable field, empty when the object has none. */
  field (version: ResourceVersion, field: string): string {
    if (field === 'metadata.name') return this.name
    if (field === 'metadata.namespace') return this.namespace
    const fields = this.#fields ??= new Map()
    const key = `${version.name} ${field}`
    let value = fields.get(key)
    if (value === undefined) {
      // All selectable fields of the version at once: the object is parsed once.
      const object = this.object(version)
      for (const f of version.selectableFields) fields.set(`${version.name} ${f}`, fieldValue(asJson(object), f))
      value = fields.get(key) ?? ''
    }
    return value
  }
}
