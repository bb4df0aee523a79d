import { equalJson } from '../../codec/json-equal.js'
import type { JsonValue } from '../../codec/value.js'
import { invalid, type FieldError } from '../../meta/field-error.js'
import { isPathSegment } from '../../meta/names.js'
import { compareQuantities, parseQuantity, quantityOf } from '../../meta/quantity.js'
import type { Strategy } from '../../generic/resource-definition.js'
import { formatRfc3339 } from '../../schema/rfc3339.js'
import type { CustomMetric } from './types.js'

/** An autoscaler computes in thousandths in an int64: what does not fit would wrap. */
const highest = quantityOf(2n ** 63n - 1n, -3)
const lowest = quantityOf(-(2n ** 63n), -3)

export const customMetricStrategy: Strategy = {
  prepareForCreate (object, { now }) {
    const metric = object as CustomMetric
    metric.timestamp ??= formatRfc3339(now.getTime())
  },

  /** A new value without a new time was measured now. */
  prepareForUpdate (object, old, { now }) {
    const [metric, before] = [object as CustomMetric, old as CustomMetric]
    const changed = !equalJson(metric.value as JsonValue, before.value as JsonValue)
    if (metric.timestamp === undefined || (changed && metric.timestamp === before.timestamp)) {
      metric.timestamp = changed || before.timestamp === undefined ? formatRfc3339(now.getTime()) : before.timestamp
    }
  },

  validate: object => [...validateName(object as CustomMetric), ...validateValue(object as CustomMetric)],
  validateUpdate: (object, old) => {
    const [metric, before] = [object as CustomMetric, old as CustomMetric]
    return [...metric.metric?.name === before.metric?.name ? [] : validateName(metric), ...validateValue(metric)]
  }
}

/** Autoscalers put the name into a path. */
function validateName ({ metric }: CustomMetric): FieldError[] {
  const name = metric?.name
  if (name === undefined) return []
  return isPathSegment(name, { prefix: false }).map(problem => invalid('metric.name', name, problem))
}

function validateValue ({ value }: CustomMetric): FieldError[] {
  const quantity = parseQuantity(String(value))
  if (quantity === undefined) return [invalid('value', value, 'must be a quantity, for example 100m, 1.5 or 12k')]
  if (compareQuantities(quantity, highest) > 0 || compareQuantities(quantity, lowest) < 0) {
    return [invalid('value', value, 'must be within ±2^63/1000 (about 9.2e15), for autoscalers compute in thousandths in 64 bits')]
  }
  return []
}
