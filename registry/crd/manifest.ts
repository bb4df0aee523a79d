import { checkStructural } from '../schema/structural-check.js'
import { fieldErrorText } from '../meta/field-error.js'
import type { StructuralSchema } from '../schema/structural-schema.js'
import type { ColumnDefinition, ResourceDefinition, ResourceVersionDefinition, Subresources } from '../generic/resource-definition.js'

/** What reading one manifest gave: a declaration, or why there is none. */
export interface ManifestResult {
  readonly definition: ResourceDefinition | undefined
  /** Each begins with the path of the field. */
  readonly problems: readonly string[]
}

type Fields = Readonly<Record<string, unknown>>
const fields = (v: unknown): Fields => typeof v === 'object' && v !== null && !Array.isArray(v) ? v as Fields : {}
const list = (v: unknown): readonly unknown[] => Array.isArray(v) ? v : []
const text = (v: unknown): string => typeof v === 'string' ? v : ''

/**
 * Turns a CustomResourceDefinition manifest (apiextensions.k8s.io/v1) into the declaration that `defineResource` takes. What this server
 * cannot honour is a problem, never ignored: conversion webhooks, CEL rules, preserveUnknownFields, other API versions.
 */
export function resourceDefinitionOf (manifest: unknown): ManifestResult {
  const root = fields(manifest)
  if (root['kind'] !== 'CustomResourceDefinition') return { definition: undefined, problems: [`kind: ${JSON.stringify(root['kind'] ?? null)}: only CustomResourceDefinition is read from a CRD file`] }
  if (root['apiVersion'] !== 'apiextensions.k8s.io/v1') return { definition: undefined, problems: [`apiVersion: ${JSON.stringify(root['apiVersion'] ?? null)}: must be apiextensions.k8s.io/v1`] }
  const spec = fields(root['spec'])
  const names = fields(spec['names'])
  const problems: string[] = []
  const group = text(spec['group'])
  const plural = text(names['plural'])
  if (text(fields(root['metadata'])['name']) !== `${plural}.${group}`) problems.push(`metadata.name: must be spec.names.plural+"."+spec.group, ${plural}.${group}`)
  if (spec['scope'] !== 'Namespaced' && spec['scope'] !== 'Cluster') problems.push('spec.scope: must be Namespaced or Cluster')
  if (spec['preserveUnknownFields'] === true) problems.push('spec.preserveUnknownFields: must be false; use x-kubernetes-preserve-unknown-fields in the schema')
  const strategy = fields(spec['conversion'])['strategy']
  if (strategy !== undefined && strategy !== 'None') problems.push(`spec.conversion.strategy: ${JSON.stringify(strategy)} is not supported: this server runs no conversion webhook; use None, or declare the resource in code with a conversion of its own`)
  const versions = list(spec['versions']).map((v, i) => version(fields(v), `spec.versions[${i}]`, problems))
  if (versions.length === 0) problems.push('spec.versions: at least one is needed')
  if (problems.length > 0) return { definition: undefined, problems }
  return {
    problems,
    definition: {
      group,
      names: {
        plural,
        kind: text(names['kind']),
        singular: text(names['singular']) || text(names['kind']).toLowerCase(),
        listKind: text(names['listKind']) || `${text(names['kind'])}List`,
        shortNames: list(names['shortNames']).map(text),
        categories: list(names['categories']).map(text)
      },
      scope: spec['scope'] as 'Namespaced' | 'Cluster',
      versions
    }
  }
}

function version (v: Fields, at: string, problems: string[]): ResourceVersionDefinition {
  const schema = fields(v['schema'])['openAPIV3Schema']
  if (schema === undefined) problems.push(`${at}.schema.openAPIV3Schema: a structural schema is required`)
  else problems.push(...checkStructural(schema as StructuralSchema, `${at}.schema.openAPIV3Schema`).map(fieldErrorText))
  const subresources = fields(v['subresources'])
  const scale = subresources['scale'] === undefined ? undefined : fields(subresources['scale'])
  const completed: Subresources = {
    ...(subresources['status'] !== undefined && { status: {} }),
    ...(scale && {
      scale: {
        specReplicasPath: text(scale['specReplicasPath']),
        statusReplicasPath: text(scale['statusReplicasPath']),
        ...(scale['labelSelectorPath'] !== undefined && { labelSelectorPath: text(scale['labelSelectorPath']) })
      }
    })
  }
  return {
    name: text(v['name']),
    served: v['served'] === true,
    storage: v['storage'] === true,
    deprecated: v['deprecated'] === true,
    ...(typeof v['deprecationWarning'] === 'string' && { deprecationWarning: v['deprecationWarning'] }),
    schema: (schema ?? {}) as StructuralSchema,
    ...(v['additionalPrinterColumns'] !== undefined && { columns: list(v['additionalPrinterColumns']).map(c => fields(c) as unknown as ColumnDefinition) }),
    selectableFields: list(v['selectableFields']).map(f => ({ jsonPath: text(fields(f)['jsonPath']) })),
    subresources: completed
  }
}
