import { forbidden, invalid, notSupported, type FieldError } from '../../meta/field-error.js'
import type { KubeObject } from '../../meta/object-meta.js'
import type { Strategy } from '../../generic/resource-definition.js'
import type { Database, Engine } from './types.js'

/** Versions that are known; a minor such as 15.2 is accepted where its major or minor is listed. */
const versions: Readonly<Record<Engine, readonly string[]>> = {
  postgresql: ['14', '15', '16', '17'],
  mysql: ['8.0', '8.1', '8.4'],
  mongodb: ['6.0', '7.0', '8.0']
}

const inProduction = (object: KubeObject): boolean => object.metadata.labels?.['environment'] === 'production'

export const databaseStrategy: Strategy = {
  validate: object => validateVersion(object as Database),

  validateUpdate (object, old) {
    const [database, before] = [object as Database, old as Database]
    const errors: FieldError[] = []
    if (database.spec.engine !== before.spec.engine) errors.push(invalid('spec.engine', database.spec.engine, 'field is immutable'))
    if (database.spec.version !== before.spec.version || errors.length > 0) errors.push(...validateVersion(database))
    return errors
  },

  warningsOnCreate: object => productionWarnings(object as Database),
  warningsOnUpdate: (object, _old, { subresource }) => subresource === '' ? productionWarnings(object as Database) : [],

  validateDelete (object) {
    if (!inProduction(object) || object.metadata.annotations?.['confirm-delete'] === 'yes') return []
    return [forbidden('metadata.annotations[confirm-delete]', 'a Database labelled environment=production is deleted only with the annotation confirm-delete: "yes"')]
  }
}

function validateVersion ({ spec: { engine, version } }: Database): FieldError[] {
  const known = versions[engine]
  return known.some(k => version === k || version.startsWith(`${k}.`)) ? [] : [notSupported('spec.version', version, known)]
}

function productionWarnings (database: Database): string[] {
  const replicas = database.spec.replicas ?? 1
  return inProduction(database) && replicas < 3 ? [`spec.replicas: ${replicas} is fewer than the 3 replicas recommended for environment=production`] : []
}
