import type { TableOptions } from '../responses/presentation.js'
import type { TableColumn } from '../responses/table.js'
import type { NamespaceObject } from './core-api.js'

const columns: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the namespace.', priority: 0 },
  { name: 'Status', type: 'string', format: '', description: 'The status of the namespace', priority: 0 },
  { name: 'Age', type: 'string', format: '', description: 'A namespace that was never created has no age.', priority: 0 }
]

/** Namespaces as the Table that kube-apiserver would make of them. @param version of meta.k8s.io */
export function namespaceTable (items: readonly NamespaceObject[], version: string, options: TableOptions): object {
  const apiVersion = `meta.k8s.io/${version}`
  return {
    kind: 'Table',
    apiVersion,
    metadata: {},
    columnDefinitions: columns,
    rows: items.map(item => ({
      cells: [item.metadata.name, item.status.phase, '<unknown>'],
      object: options.includeObject === 'None' ? null : options.includeObject === 'Object'
        ? { kind: 'Namespace', apiVersion: 'v1', ...item }
        : { kind: 'PartialObjectMetadata', apiVersion, metadata: item.metadata }
    }))
  }
}
