import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { PersistentVolumeClaim, Pod } from '../children/types.js'
import type { DatabaseModel } from './model.js'
import { namesOf, type DatabaseNames } from './names.js'
import { settingsOf, type DatabaseSettings } from './settings.js'

// What the tests of this folder begin with.

export const databaseObject = (metadata: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  apiVersion: 'db.example.com/v1', kind: 'Database', metadata: { name: 'orders', namespace: 'shop', uid: 'u-1', generation: 3, ...metadata }
})

export const names = (metadata: Partial<KubeObject['metadata']> = {}): DatabaseNames => namesOf('db.example.com', databaseObject(metadata))

export const model = (more: Partial<DatabaseModel> = {}): DatabaseModel => ({ engine: 'postgresql', version: '17.2.0', replicas: 1, storage: { size: '1Gi' }, configuration: {}, ...more })

export const settings = (annotations: Record<string, string> = {}): DatabaseSettings => settingsOf('db.example.com', databaseObject({ annotations }))

export const claim = (name: string, { request = '1Gi', capacity = request, phase = 'Bound', storageClass = 'fast' }: { request?: string, capacity?: string, phase?: string, storageClass?: string | undefined } = {}): PersistentVolumeClaim => ({
  apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: 'shop' },
  spec: { ...(storageClass !== '' && { storageClassName: storageClass }), resources: { requests: { storage: request } } },
  status: { phase, ...(phase === 'Bound' && { capacity: { storage: capacity } }) }
})

export const pod = (name: string, status: NonNullable<Pod['status']> = {}, metadata: Partial<KubeObject['metadata']> = {}): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'shop', ...metadata }, status })
