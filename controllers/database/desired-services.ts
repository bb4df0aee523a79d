import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { DesiredChild } from '../children/apply-child.js'
import { engines } from './engines/engines.js'
import type { DatabaseModel } from './model.js'
import type { DatabaseNames } from './names.js'

export interface Service extends KubeObject { spec?: { clusterIP?: string; selector?: Record<string, string>; ports?: { name?: string; port: number; [field: string]: unknown }[]; [field: string]: unknown } }

/** The Service that gives each pod a name of its own, also before it is ready. */
export function desiredHeadlessService (names: DatabaseNames, { engine }: DatabaseModel): DesiredChild<Service> {
  return {
    metadata: { name: names.headlessService, labels: names.labels(engine, 'database'), annotations: { ...names.annotations } },
    spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector: { ...names.selector }, ports: [portOf(engine)] }
  }
}

/** The Service for clients. It leads to instance 0 alone: instances do not replicate, so what one is told the others do not know. */
export function desiredClientService (names: DatabaseNames, { engine }: DatabaseModel): DesiredChild<Service> {
  return {
    metadata: { name: names.base, labels: names.labels(engine, 'database'), annotations: { ...names.annotations } },
    spec: { type: 'ClusterIP', selector: { ...names.selector, 'statefulset.kubernetes.io/pod-name': `${names.base}-0` }, ports: [portOf(engine)] }
  }
}

/** Where clients find the database. */
export const primaryEndpoint = (names: DatabaseNames, { engine }: DatabaseModel): string => `${names.base}.${names.namespace}.svc:${engines[engine].port}`

const portOf = (engine: DatabaseModel['engine']): { name: string, port: number, protocol: string, targetPort: string } => ({ name: engine, port: engines[engine].port, protocol: 'TCP', targetPort: engine })
