import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { defineResource } from '../../../registry/generic/define-resource.js'
import type { ResourceDefinition, ResourceVersionDefinition } from '../../../registry/generic/resource-definition.js'
import type { Resource } from '../../../registry/generic/resource.js'
import type { StructuralSchema } from '../../../registry/schema/structural-schema.js'

interface Manifest {
  readonly spec: Pick<ResourceDefinition, 'group' | 'names' | 'scope'> & {
    readonly versions: readonly (Omit<ResourceVersionDefinition, 'schema' | 'columns'> & { readonly schema: { readonly openAPIV3Schema: StructuralSchema } })[]
  }
}

const folder = new URL('../../openapi/testdata/crds/', import.meta.url)

/** The resources of the CustomResourceDefinitions with which the fixtures were recorded. */
export function recordedResources (): Resource[] {
  return readdirSync(fileURLToPath(folder)).sort().map(file => {
    // As in Go, a key `on` is a boolean of YAML 1.1.
    const { spec } = parse(readFileSync(new URL(file, folder), 'utf8'), { version: '1.1' }) as Manifest
    return defineResource({
      group: spec.group,
      names: spec.names,
      scope: spec.scope,
      versions: spec.versions.map(({ schema, ...version }) => ({ ...version, schema: schema.openAPIV3Schema }))
    })
  })
}
