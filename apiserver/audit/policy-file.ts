import { ConfigFileError, LazySchema, parseYamlDocuments, readConfigFile, type ConfigFileProblem } from '../options/config-file.js'
import { auditLevels, auditStages } from './event.js'
import type { AuditPolicy } from './policy.js'

const strings = { type: 'array', items: { type: 'string' }, nullable: true }
const stages = { type: 'array', items: { enum: auditStages }, nullable: true }
const schema = {
  type: 'object',
  required: ['apiVersion', 'kind', 'rules'],
  properties: {
    apiVersion: { const: 'audit.k8s.io/v1' },
    kind: { const: 'Policy' },
    metadata: { type: 'object', nullable: true },
    omitStages: stages,
    omitManagedFields: { type: 'boolean', nullable: true },
    rules: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['level'],
        properties: {
          level: { enum: auditLevels },
          users: strings,
          userGroups: strings,
          verbs: strings,
          namespaces: strings,
          nonResourceURLs: strings,
          omitStages: stages,
          omitManagedFields: { type: 'boolean', nullable: true },
          resources: {
            type: 'array',
            nullable: true,
            items: { type: 'object', properties: { group: { type: 'string' }, resources: strings, resourceNames: strings }, additionalProperties: false }
          }
        },
        additionalProperties: false
      }
    }
  },
  additionalProperties: false
}

/**
 * Reads `--audit-policy-file`, one audit.k8s.io/v1 Policy. Unlike upstream, which falls back to lenient decoding, unknown fields are
 * errors: a misspelt `omitStages` or `resources` would change what is recorded.
 * @throws ConfigFileError naming file, document and field of everything that is wrong
 */
export async function loadAuditPolicy (file: string): Promise<AuditPolicy> {
  return await parseAuditPolicy(await readConfigFile(file), file)
}

/** The same for a text. */
export async function parseAuditPolicy (text: string, file: string): Promise<AuditPolicy> {
  const documents = await parseYamlDocuments(text, file)
  const [first, second] = documents
  if (first === undefined) throw new ConfigFileError(file, [{ document: 0, field: '', message: 'holds no document' }])
  const problems = await new LazySchema<AuditPolicy>(schema).problems(first.value, first.document)
  if (second !== undefined) problems.push({ document: second.document, field: '', message: 'only one document is allowed' })
  if (problems.length === 0) problems.push(...policyProblems(first.value as AuditPolicy, first.document))
  if (problems.length > 0) throw new ConfigFileError(file, problems)
  return first.value as AuditPolicy
}

/** What the schema cannot say (k8s.io/apiserver `apis/audit/validation`). */
function policyProblems (policy: AuditPolicy, document: number): ConfigFileProblem[] {
  const problems: ConfigFileProblem[] = []
  policy.rules.forEach((rule, i) => {
    const add = (field: string, value: unknown, why: string): void => { problems.push({ document, field: `rules[${i}].${field}`, message: `Invalid value: ${JSON.stringify(value)}: ${why}` }) }
    rule.nonResourceURLs?.forEach((url, j) => {
      if (url === '*') return
      if (!url.startsWith('/')) add(`nonResourceURLs[${j}]`, url, "non-resource URL rules must begin with a '/' character")
      if (url.slice(0, -1).includes('*')) add(`nonResourceURLs[${j}]`, url, "non-resource URL wildcards '*' must be the final character of the rule")
    })
    rule.resources?.forEach(({ group = '', resources, resourceNames }) => {
      if (group !== '' && group !== '*' && !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(group)) {
        add('resources.group', group, 'must be the name of an API group, without a version')
      }
      if ((resourceNames?.length ?? 0) > 0 && (resources?.length ?? 0) === 0) add('resources.resourceNames', resourceNames, 'using resourceNames requires at least one resource')
    })
    if ((rule.nonResourceURLs?.length ?? 0) > 0 && ((rule.resources?.length ?? 0) > 0 || (rule.namespaces?.length ?? 0) > 0)) {
      add('nonResourceURLs', rule.nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs')
    }
  })
  return problems
}
