import type { Schema } from './schema.js'

/** The first part of the names under which upstream publishes the types of `meta/v1`. */
export const metaPrefix = 'io.k8s.apimachinery.pkg.apis.meta.v1.'
export const scaleName = 'io.k8s.api.autoscaling.v1.Scale'
export const versionInfoName = 'io.k8s.apimachinery.pkg.version.Info'

const conventions = 'More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md'
const concepts = 'More info: https://kubernetes.io/docs/concepts/overview/working-with-objects'

/** Descriptions of the members that every object has. */
export const typeMetaDescriptions = {
  apiVersion: `The group and version in which this object is written, as "group/version". A server converts to the version it stores. ${conventions}#resources`,
  kind: `The kind of this object, in PascalCase. The server can tell it from the URL; it cannot be changed. ${conventions}#types-kinds`,
  metadata: `What every object has beside its own fields: name, namespace, labels, owners and so on. ${conventions}#metadata`,
  listMetadata: `What every list has beside its items: the resource version it was read at and how to continue it. ${conventions}#types-kinds`
} as const

const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${metaPrefix}${name}` })
const text = (description: string): Schema => ({ description, type: 'string' })
const flag = (description: string): Schema => ({ description, type: 'boolean' })
const int = (description: string, format: 'int32' | 'int64'): Schema => ({ description, type: 'integer', format })
const nested = (name: string, description: string): Schema => ({ description, allOf: [ref(name)] })
const defaulted = (name: string): Schema => ({ default: {}, allOf: [ref(name)] })
const strings = (description: string, listType: 'atomic' | 'set'): Schema =>
  ({ description, type: 'array', items: { type: 'string', default: '' }, 'x-kubernetes-list-type': listType })
const stringMap = (description: string): Schema => ({ description, type: 'object', additionalProperties: { type: 'string', default: '' } })
const atomicList = (name: string, description: string): Schema =>
  ({ description, type: 'array', items: defaulted(name), 'x-kubernetes-list-type': 'atomic' })
const requiredText = (description: string): Schema => ({ ...text(description), default: '' })
const typeMeta = (): Record<'apiVersion' | 'kind', Schema> => ({ apiVersion: text(typeMetaDescriptions.apiVersion), kind: text(typeMetaDescriptions.kind) })

const objectMeta = (): Schema => ({
  description: 'ObjectMeta is the metadata of every stored object.',
  type: 'object',
  properties: {
    annotations: stringMap(`Keys and values of tools and libraries, of any form. They cannot be selected by, and a client that does not know a key keeps it. ${concepts}/annotations`),
    creationTimestamp: nested('Time', `When the server created the object, in UTC (RFC 3339). Set by the server, read-only. ${conventions}#metadata`),
    deletionGracePeriodSeconds: int('How many seconds the object has to stop by itself before it is removed. Set together with deletionTimestamp, can only be shortened. Read-only.', 'int64'),
    deletionTimestamp: nested('Time', `When the object is to be gone, in UTC (RFC 3339). Set by the server once a client has asked for the deletion; it cannot be taken back. Until the list of finalizers is empty the object stays, and can be read and updated. Read-only. ${conventions}#metadata`),
    finalizers: {
      ...strings('Identifiers of the components that have something to do before the object is removed. Each removes its own entry when it is done; an object that is being deleted goes when none is left. The order means nothing, and once deletionTimestamp is set entries can only be removed.', 'set'),
      'x-kubernetes-patch-strategy': 'merge'
    },
    generateName: text(`A prefix from which the server makes a unique name, if and only if name is empty. The name that was made is in the answer. It must be valid as the beginning of a name, and is cut where name and suffix would become too long. If the name is taken the answer is 409 and the client may try again. ${conventions}#idempotency`),
    generation: int('A number that grows with every change of the desired state. Set by the server, read-only.', 'int64'),
    labels: stringMap(`Keys and values that organise objects, by which they can be selected. ${concepts}/labels`),
    managedFields: atomicList('ManagedFieldsEntry', 'Which client manages which fields, as server-side apply keeps it. It is bookkeeping: users seldom need to read it and need not write it.'),
    name: text(`The name, unique among the objects of this resource in the namespace. Needed on creation unless generateName is given; it cannot be changed. ${concepts}/names#names`),
    namespace: text(`The namespace in which the name is unique, a DNS label. Empty for kinds that are not namespaced; it cannot be changed. ${concepts}/namespaces`),
    ownerReferences: {
      description: 'The objects that this one depends on. When all of them have been deleted the garbage collector deletes this one too. At most one of them is marked as the managing controller.',
      type: 'array',
      items: defaulted('OwnerReference'),
      'x-kubernetes-list-map-keys': ['uid'],
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-patch-merge-key': 'uid',
      'x-kubernetes-patch-strategy': 'merge'
    },
    resourceVersion: text(`The version of this object in the store, opaque to clients: compare for equality and hand back unchanged, to update only what was read or to watch from there. Set by the server, read-only. ${conventions}#concurrency-control-and-consistency`),
    selfLink: text('Deprecated: no longer set.'),
    uid: text(`An identifier that no other object ever has, not even a later one of the same name. Set by the server on creation, read-only. ${concepts}/names#uids`)
  }
})

const deleteOptions = (): Schema => ({
  description: 'DeleteOptions says how an object is to be deleted.',
  type: 'object',
  properties: {
    ...typeMeta(),
    dryRun: strings('With "All" the request goes through every stage and nothing is stored. Other values are refused.', 'atomic'),
    gracePeriodSeconds: int('How many seconds the object has to stop by itself, not negative. 0 deletes at once; absent means the default of the kind.', 'int64'),
    orphanDependents: flag('Deprecated: use propagationPolicy. Whether dependents are left as orphans. Not both can be given.'),
    preconditions: nested('Preconditions', 'What must be true of the object; otherwise the answer is 409 and nothing is deleted.'),
    propagationPolicy: text('What becomes of dependents: "Orphan" leaves them, "Background" lets the garbage collector delete them afterwards, "Foreground" keeps this object until they are gone. Default: what the finalizers of the object say, else what is usual for the kind.')
  },
  'x-kubernetes-group-version-kind': [{ group: '', kind: 'DeleteOptions', version: 'v1' }]
})

const status = (): Schema => ({
  description: 'Status is the answer of a call that does not return another object.',
  type: 'object',
  properties: {
    ...typeMeta(),
    code: int('The HTTP status code that goes with it; 0 if not set.', 'int32'),
    details: nested('StatusDetails', 'More about the reason, for programs. What it holds depends on the reason.'),
    message: text('What happened, for people.'),
    metadata: { ...defaulted('ListMeta'), description: typeMetaDescriptions.listMetadata },
    reason: text('Why the operation failed, in one word for programs. It is more exact than the HTTP code and does not contradict it.'),
    status: text(`"Success" or "Failure". ${conventions}#spec-and-status`)
  },
  'x-kubernetes-group-version-kind': [{ group: '', kind: 'Status', version: 'v1' }]
})

/**
 * The schemas of `meta/v1` and `autoscaling/v1` that documents refer to, by name and as OpenAPI v3. Names, types and extensions are
 * upstream's; the descriptions are ours. What this server does not do (shards, unsafe deletion) is left out.
 */
export function metaSchemas (): Record<string, Schema> {
  const meta: Record<string, Schema> = {
    DeleteOptions: deleteOptions(),
    FieldsV1: {
      description: 'FieldsV1 is a set of fields as a JSON trie. A key "f:<name>" is a field or map key, "k:<keys>" a list item by its key fields, "v:<value>" a list item by its value, "i:<index>" one by its position, and "." the field itself.',
      type: 'object'
    },
    ListMeta: {
      description: 'ListMeta is the metadata of lists and of a Status.',
      type: 'object',
      properties: {
        continue: text('Set when a limit was given and there is more: the token with which the next request gets the following items, of the same resource version. Opaque, and good for some minutes only.'),
        remainingItemCount: int('About how many items follow this part of the list. Absent when the list is complete or a selector was given.', 'int64'),
        resourceVersion: text(`The version of the store at which the list was read: a watch can begin there. Opaque to clients. Read-only. ${conventions}#concurrency-control-and-consistency`),
        selfLink: text('Deprecated: no longer set.')
      }
    },
    ManagedFieldsEntry: {
      description: 'ManagedFieldsEntry is a manager with the fields that it manages, in one version of the kind.',
      type: 'object',
      properties: {
        apiVersion: text('The version, as "group/version", in which the fields are named.'),
        fieldsType: text('The format of the fields; always "FieldsV1".'),
        fieldsV1: nested('FieldsV1', 'The fields, in the format FieldsV1.'),
        manager: text('The name of the client or workflow.'),
        operation: text('How the fields came to be managed: "Apply" or "Update".'),
        subresource: text('The subresource through which they were written, empty for the object itself. The same manager has an entry for each.'),
        time: nested('Time', 'When this manager last took on or changed a field. Losing a field to another manager does not change it.')
      }
    },
    ObjectMeta: objectMeta(),
    OwnerReference: {
      description: 'OwnerReference names an owner. Owner and dependent are in the same namespace, or the owner is in none.',
      type: 'object',
      required: ['apiVersion', 'kind', 'name', 'uid'],
      properties: {
        apiVersion: requiredText('The apiVersion of the owner.'),
        blockOwnerDeletion: flag('If true, an owner that is being deleted in the foreground waits for this object. Setting it needs the permission to delete the owner. Default false.'),
        controller: flag('Whether the owner is the controller that manages this object.'),
        kind: requiredText(`The kind of the owner. ${conventions}#types-kinds`),
        name: requiredText(`The name of the owner. ${concepts}/names#names`),
        uid: requiredText(`The uid of the owner. ${concepts}/names#uids`)
      },
      'x-kubernetes-map-type': 'atomic'
    },
    Patch: { description: 'Patch is the body of a PATCH request, in the format that its Content-Type names.', type: 'object' },
    Preconditions: {
      description: 'Preconditions must be true of an object for an operation to happen.',
      type: 'object',
      properties: { resourceVersion: text('The resource version it must have.'), uid: text('The uid it must have.') }
    },
    Status: status(),
    StatusCause: {
      description: 'StatusCause is one of the causes of a failure.',
      type: 'object',
      properties: {
        field: text('The field at fault, as a path in JSON with zero-based indices, e.g. "name" or "items[0].name". A field can have several causes.'),
        message: text('What is wrong, for people.'),
        reason: text('What is wrong, in one word for programs.')
      }
    },
    StatusDetails: {
      description: 'StatusDetails says more about a Status. Any member may be absent.',
      type: 'object',
      properties: {
        causes: atomicList('StatusCause', 'The causes, where the reason has them.'),
        group: text('The API group of the resource concerned.'),
        kind: text(`The resource or kind concerned, which need not be that of the request. ${conventions}#types-kinds`),
        name: text('The name of the object concerned, where it is one.'),
        retryAfterSeconds: int('After how many seconds a client should try again, or do what the reason suggests instead.', 'int32'),
        uid: text(`The uid of the object concerned, where it is one. ${concepts}/names#uids`)
      }
    },
    Time: { description: 'Time is a moment in UTC, written as RFC 3339 says.', type: 'string', format: 'date-time' }
  }
  return { ...Object.fromEntries(Object.entries(meta).map(([name, schema]) => [metaPrefix + name, schema])), ...scaleSchemas() }
}

const scaleSchemas = (): Record<string, Schema> => ({
  [scaleName]: {
    description: 'Scale is the number of replicas of an object, wanted and real, whatever its kind.',
    type: 'object',
    properties: {
      ...typeMeta(),
      metadata: { ...defaulted('ObjectMeta'), description: typeMetaDescriptions.metadata },
      spec: { description: `The number wanted. ${conventions}#spec-and-status`, default: {}, allOf: [{ $ref: `#/components/schemas/${scaleName}Spec` }] },
      status: { description: `The number there is. Read-only. ${conventions}#spec-and-status`, default: {}, allOf: [{ $ref: `#/components/schemas/${scaleName}Status` }] }
    },
    'x-kubernetes-group-version-kind': [{ group: 'autoscaling', kind: 'Scale', version: 'v1' }]
  },
  [`${scaleName}Spec`]: {
    description: 'ScaleSpec is what is wanted.',
    type: 'object',
    properties: { replicas: { ...int('How many replicas there should be.', 'int32'), default: 0 } }
  },
  [`${scaleName}Status`]: {
    description: 'ScaleStatus is what there is.',
    type: 'object',
    required: ['replicas'],
    properties: {
      replicas: { ...int('How many replicas there are.', 'int32'), default: 0 },
      selector: text(`The label selector, as a string, that finds the pods counted. ${concepts}/labels`)
    }
  }
})
