import { createHash } from 'node:crypto'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { ObjectName } from '../client/interfaces.js'
import type { EngineName } from './model.js'

/** Who writes what the operator writes; for good, for fields are taken back by it. */
export const fieldManager = 'annex-database-operator'

/** `data-<base>-99` and the pods' revision label must fit into 63 characters. */
const longestBase = 40

/** The names of a Database's children, and the labels and annotations that find them again. */
export interface DatabaseNames {
  readonly group: string
  readonly namespace: string
  /** The Database's. */
  readonly database: string
  readonly uid: string
  /** Of the StatefulSet and the Service: the Database's name, or one made of it where that is no Service's name. */
  readonly base: string
  readonly headlessService: string
  readonly config: string
  readonly credentials: string
  readonly backup: string
  readonly backupClaim: string
  /** Selects the pods; never changes. */
  readonly selector: Readonly<Record<string, string>>
  /** On everything: whose it is. What holds data says it by this alone, for what is to be kept must not have an owner that the garbage collector follows. */
  readonly uidLabel: string
  /** On everything: the Database's label, with the base name. */
  readonly databaseLabel: string
  readonly annotations: Readonly<Record<string, string>>
  dataClaim (ordinal: number): string
  labels (engine: EngineName, component: Component): Record<string, string>
}

export type Component = 'database' | 'backup' | 'metrics'

export function namesOf (group: string, { metadata: { namespace = '', name = '', uid = '' } }: KubeObject): DatabaseNames {
  const base = baseName(name)
  const uidLabel = `${group}/database-uid`
  const databaseLabel = `${group}/database`
  return {
    group, namespace, database: name, uid, base, databaseLabel,
    headlessService: `${base}-pods`,
    config: `${base}-config`,
    credentials: `${base}-credentials`,
    backup: `${base}-backup`,
    backupClaim: `${base}-backups`,
    selector: { [databaseLabel]: base, 'app.kubernetes.io/component': 'database' },
    uidLabel,
    annotations: { [nameAnnotation(group)]: name },
    dataClaim: ordinal => `data-${base}-${ordinal}`,
    labels: (engine, component) => ({
      [databaseLabel]: base,
      [uidLabel]: uid,
      'app.kubernetes.io/name': engine, 'app.kubernetes.io/instance': base, 'app.kubernetes.io/component': component, 'app.kubernetes.io/managed-by': fieldManager
    })
  }
}

/** The Database that an object belongs to, by the annotation that every child, pod and claim carries. */
export function databaseOf (group: string, { metadata }: KubeObject): ObjectName[] {
  const name = metadata.annotations?.[nameAnnotation(group)]
  return name === undefined ? [] : [{ namespace: metadata.namespace, name }]
}

export const selectorText = (selector: Readonly<Record<string, string>>): string => Object.entries(selector).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => `${k}=${v}`).join(',')

const nameAnnotation = (group: string): string => `${group}/database-name`

/** A name for Services: at most 40 characters of a-z, 0-9 and hyphens, the first a letter. Names that are none get a part of their hash. */
export function baseName (name: string): string {
  if (name.length <= longestBase && /^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(name)) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  const text = name.replace(/[^a-z0-9-]/g, '-').replace(/^(?=[^a-z])/, 'db-')
  return `${text.slice(0, longestBase - hash.length - 1).replace(/-+$/, '')}-${hash}`
}
