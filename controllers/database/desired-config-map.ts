import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { DesiredChild } from '../children/apply-child.js'
import type { DatabaseModel } from './model.js'
import type { DatabaseNames } from './names.js'

export interface ConfigMap extends KubeObject { data?: Record<string, string> }

/** The engine's settings as the file that it reads. */
export function desiredConfigMap (names: DatabaseNames, { engine }: DatabaseModel, file: { readonly name: string; readonly text: string }): DesiredChild<ConfigMap> {
  return {
    metadata: { name: names.config, labels: names.labels(engine, 'database'), annotations: { ...names.annotations } },
    data: { [file.name]: file.text }
  }
}
