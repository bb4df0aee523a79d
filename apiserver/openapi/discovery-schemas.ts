import { metaPrefix, typeMetaDescriptions, versionInfoName } from './meta-schemas.js'
import type { Schema } from './schema.js'

const text = (description: string): Schema => ({ description, type: 'string' })
const requiredText = (description: string): Schema => ({ ...text(description), default: '' })
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${metaPrefix}${name}` })
const listOf = (name: string, description: string): Schema =>
  ({ description, type: 'array', items: { default: {}, allOf: [ref(name)] }, 'x-kubernetes-list-type': 'atomic' })
const strings = (description: string): Schema => ({ description, type: 'array', items: { type: 'string', default: '' }, 'x-kubernetes-list-type': 'atomic' })
const typeMeta = (): Record<'apiVersion' | 'kind', Schema> => ({ apiVersion: text(typeMetaDescriptions.apiVersion), kind: text(typeMetaDescriptions.kind) })
const gvk = (kind: string): Schema[] => [{ group: '', kind, version: 'v1' }]

/** The schemas of what discovery answers, by name and as OpenAPI v3. Names, types and extensions are upstream's; the descriptions are ours. */
export function discoverySchemas (): Record<string, Schema> {
  const meta: Record<string, Schema> = {
    APIGroup: {
      description: 'APIGroup is a group with its versions.',
      type: 'object',
      required: ['name', 'versions'],
      properties: {
        ...typeMeta(),
        name: requiredText('The name of the group.'),
        preferredVersion: { description: 'The version that clients should use.', default: {}, allOf: [ref('GroupVersionForDiscovery')] },
        serverAddressByClientCIDRs: listOf('ServerAddressByClientCIDR', 'At which address a client reaches the server, by the network that it is in. The first that fits is used.'),
        versions: listOf('GroupVersionForDiscovery', 'The versions served, the preferred one first.')
      },
      'x-kubernetes-group-version-kind': gvk('APIGroup')
    },
    APIGroupList: {
      description: 'APIGroupList is the list of all groups.',
      type: 'object',
      required: ['groups'],
      properties: { ...typeMeta(), groups: listOf('APIGroup', 'The groups.') },
      'x-kubernetes-group-version-kind': gvk('APIGroupList')
    },
    APIResource: {
      description: 'APIResource says how a resource is called and what can be done with it.',
      type: 'object',
      required: ['name', 'singularName', 'namespaced', 'kind', 'verbs'],
      properties: {
        categories: strings('Groups of resources that this one belongs to, e.g. "all".'),
        group: text('The group of the kind, where it is not that of the list.'),
        kind: requiredText('The kind of the objects, e.g. "Database".'),
        name: requiredText('The plural name, as in URLs.'),
        namespaced: { description: 'Whether objects are in namespaces.', type: 'boolean', default: false },
        shortNames: strings('Shorter names for the command line.'),
        singularName: requiredText('The singular name, for the command line.'),
        storageVersionHash: text('A hash of the version in which objects are stored; comparing it for equality is all that it is good for.'),
        verbs: { description: 'What can be done: get, list, watch, create, update, patch, delete, deletecollection.', type: 'array', items: { type: 'string', default: '' } },
        version: text('The version of the kind, where it is not that of the list.')
      }
    },
    APIResourceList: {
      description: 'APIResourceList is the list of the resources of one group version.',
      type: 'object',
      required: ['groupVersion', 'resources'],
      properties: { ...typeMeta(), groupVersion: requiredText('Group and version, as "group/version".'), resources: listOf('APIResource', 'The resources and subresources.') },
      'x-kubernetes-group-version-kind': gvk('APIResourceList')
    },
    GroupVersionForDiscovery: {
      description: 'GroupVersionForDiscovery is a version, with and without its group.',
      type: 'object',
      required: ['groupVersion', 'version'],
      properties: { groupVersion: requiredText('Group and version, as "group/version".'), version: requiredText('The version alone.') }
    },
    ServerAddressByClientCIDR: {
      description: 'ServerAddressByClientCIDR is the address for clients of one network.',
      type: 'object',
      required: ['clientCIDR', 'serverAddress'],
      properties: { clientCIDR: requiredText('The network.'), serverAddress: requiredText('The address, as host, address or "host:port".') }
    }
  }
  return { ...Object.fromEntries(Object.entries(meta).map(([name, schema]) => [metaPrefix + name, schema])), [versionInfoName]: versionInfo() }
}

const versionInfo = (): Schema => ({
  description: 'Info is the version of the server.',
  type: 'object',
  required: ['major', 'minor', 'gitVersion', 'gitCommit', 'gitTreeState', 'buildDate', 'goVersion', 'compiler', 'platform'],
  properties: {
    buildDate: requiredText('When it was built.'),
    compiler: requiredText('What compiles it.'),
    emulationMajor: text('The major version whose behaviour it has.'),
    emulationMinor: text('The minor version whose behaviour it has.'),
    gitCommit: requiredText('The commit it was built from.'),
    gitTreeState: requiredText('Whether the tree was clean.'),
    gitVersion: requiredText('The whole version.'),
    goVersion: requiredText('The version of the language runtime.'),
    major: requiredText('The major version of the Kubernetes API machinery that it corresponds to.'),
    minCompatibilityMajor: text('The oldest major version it is compatible with.'),
    minCompatibilityMinor: text('The oldest minor version it is compatible with.'),
    minor: requiredText('The minor version of the Kubernetes API machinery that it corresponds to.'),
    platform: requiredText('Operating system and architecture.')
  }
})
