import { isPathSegment } from '../../meta/names.js'
import { child, forbidden, index, invalid, required, type FieldError } from '../../meta/field-error.js'
import type { Strategy } from '../../generic/resource-definition.js'
import { labelMatcher, MatcherError, nameLabel } from './label-matcher.js'
import { nameTemplate, TemplateError } from './name-template.js'
import type { MetricMapping, SeriesMatcher } from './types.js'

export const metricMappingStrategy: Strategy = {
  validate: object => validateSpec(object as MetricMapping),
  validateUpdate: (object, _old, { subresource }) => subresource === '' ? validateSpec(object as MetricMapping) : []
}

/** Everything about a mapping that can be known before a series comes. */
function validateSpec ({ spec }: MetricMapping): FieldError[] {
  const errors = [...validateSeries(spec.series), ...validateName(spec.metric.name)]
  if (spec.windowSeconds !== undefined && (spec.function ?? 'Latest') === 'Latest') {
    errors.push(forbidden('spec.windowSeconds', 'function Latest has no window; leave it out or choose Rate, Increase, Sum, Avg or Max'))
  }
  return errors
}

function validateSeries ({ name, matchers = [] }: MetricMapping['spec']['series']): FieldError[] {
  const errors: FieldError[] = []
  let selective = name !== undefined
  matchers.forEach((matcher, i) => {
    const field = index('spec.series.matchers', i)
    const compiled = compile(matcher, field)
    if ('type' in compiled) errors.push(compiled)
    else selective ||= !compiled.matches('')
    if (matcher.label === nameLabel && name !== undefined) errors.push(forbidden(child(field, 'label'), 'the name of the series is given by spec.series.name already'))
  })
  if (!selective && errors.length === 0) errors.push(required('spec.series', 'must have a name, or at least one matcher that does not match an absent label'))
  return errors
}

function compile ({ label, operator = '=', value = '' }: SeriesMatcher, field: string): ReturnType<typeof labelMatcher> | FieldError {
  try {
    return labelMatcher(label, operator, value)
  } catch (error) {
    if (error instanceof MatcherError) return invalid(child(field, 'value'), value, `must be a regular expression of RE2: ${error.message}`)
    throw error
  }
}

/** Autoscalers put the name into a path. What labels put into it is checked when series come. */
function validateName (name: string): FieldError[] {
  try {
    const literal = nameTemplate(name).expand(() => 'x') ?? name
    return isPathSegment(literal, { prefix: false }).map(problem => invalid('spec.metric.name', name, problem))
  } catch (error) {
    if (error instanceof TemplateError) return [invalid('spec.metric.name', name, error.message)]
    throw error
  }
}
