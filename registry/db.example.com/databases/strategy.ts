import { forbidden, invalid, type FieldError } from '../../meta/field-error.js'
import { compareQuantities, parseQuantity } from '../../meta/quantity.js'
import type { Strategy } from '../../generic/resource-definition.js'
import type { Database, DatabaseSpec } from './types.js'

export const databaseStrategy: Strategy = {
  validateUpdate (object, old) {
    const [{ spec }, { spec: before }] = [object as Database, old as Database]
    const errors: FieldError[] = []
    if (spec.type !== before.type) errors.push(invalid('spec.type', spec.type, 'field is immutable'))
    const [size, sizeBefore] = [sizeOf(spec), sizeOf(before)]
    if (size !== undefined && sizeBefore !== undefined && compareQuantities(size, sizeBefore) < 0) {
      errors.push(forbidden('spec.storage.size', `storage never shrinks: ${spec.storage.size} is less than ${before.storage.size}`))
    }
    return errors
  }
}

/** The schema takes a capital K, which a Quantity spells k. */
const sizeOf = (spec: DatabaseSpec): ReturnType<typeof parseQuantity> => parseQuantity(spec.storage.size.replace(/K$/, 'k'))
