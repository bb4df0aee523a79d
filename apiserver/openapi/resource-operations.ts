import type { ServedResource } from '../discovery/group-version.js'
import { kindNames } from './kind-schemas.js'
import { metaPrefix, scaleName } from './meta-schemas.js'
import { identifier, objectMediaTypes, type Method, type Operation } from './operation.js'
import { optionParameters, pathParameters, type Action } from './parameters.js'

const patchMediaTypes = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml']

interface Route {
  readonly path: string
  readonly method: Method
  readonly action: Action
  /** How the operation is called in ids and descriptions. */
  readonly verb: 'list' | 'create' | 'deletecollection' | 'read' | 'replace' | 'delete' | 'patch'
  readonly answer: string
  readonly body?: string
  readonly subresource?: 'status' | 'scale'
  /** Replaces the part of the id after the group version. */
  readonly id?: string
}

/**
 * The operations of a resource in one version, as kube-apiserver publishes them for a CustomResourceDefinition: its ids, tags, actions and
 * media types, so that clients generated from either document are the same. No strategic merge patch: it is not served.
 * Source: k8s.io/apiextensions-apiserver, pkg/controller/openapi/builder.
 */
export function resourceOperations (served: ServedResource): Operation[] {
  return routesOf(served).map(route => operationOf(route, served))
}

function routesOf (served: ServedResource): Route[] {
  const { resource, version } = served
  const names = kindNames(served)
  const base = `/apis/${version.apiVersion}`
  const all = `${base}/${resource.names.plural}`
  const root = resource.namespaced ? `${base}/namespaces/{namespace}/${resource.names.plural}` : all
  const one = `${root}/{name}`
  const status = `${metaPrefix}Status`
  const patch = `${metaPrefix}Patch`
  const routes: Route[] = [
    { path: root, method: 'get', action: 'list', verb: 'list', answer: names.list },
    { path: root, method: 'post', action: 'post', verb: 'create', answer: names.object, body: names.object },
    { path: root, method: 'delete', action: 'deletecollection', verb: 'deletecollection', answer: status },
    { path: one, method: 'get', action: 'get', verb: 'read', answer: names.object },
    { path: one, method: 'put', action: 'put', verb: 'replace', answer: names.object, body: names.object },
    { path: one, method: 'delete', action: 'delete', verb: 'delete', answer: status, body: `${metaPrefix}DeleteOptions` },
    { path: one, method: 'patch', action: 'patch', verb: 'patch', answer: names.object, body: patch }
  ]
  if (resource.namespaced) routes.unshift({ path: all, method: 'get', action: 'list', verb: 'list', answer: names.list, id: `${resource.names.kind}ForAllNamespaces` })
  const subresource = (name: 'status' | 'scale', schema: string): Route[] => [
    { path: `${one}/${name}`, method: 'get', action: 'get', verb: 'read', answer: schema, subresource: name },
    { path: `${one}/${name}`, method: 'put', action: 'put', verb: 'replace', answer: schema, body: schema, subresource: name },
    { path: `${one}/${name}`, method: 'patch', action: 'patch', verb: 'patch', answer: schema, body: patch, subresource: name }
  ]
  if (version.subresources.status) routes.push(...subresource('status', names.object))
  if (version.subresources.scale) routes.push(...subresource('scale', scaleName))
  return routes
}

function operationOf (route: Route, served: ServedResource): Operation {
  const { resource, version } = served
  const { kind } = resource.names
  const group = resource.group.replace(/\.k8s\.io$/, '')
  // The verb of "delete collection" is split by its group version in ids: deleteExampleComV1CollectionNamespacedWebApp.
  const [verb, rest] = route.verb === 'deletecollection' ? ['delete', 'Collection'] : [route.verb, '']
  const subject = route.id ?? `${rest}${resource.namespaced ? 'Namespaced' : ''}${kind}${capitalized(route.subresource ?? '')}`
  return {
    path: route.path,
    method: route.method,
    operationId: verb + identifier(group, true) + identifier(version.name, true) + identifier(subject, true),
    tag: `${identifier(group, false)}_${identifier(version.name, false)}`,
    description: description(route, kind),
    parameters: [...pathParameters(route.path, kind), ...optionParameters(route.action)],
    ...(route.body !== undefined && { body: { schema: route.body, required: route.action !== 'delete' } }),
    consumes: route.method === 'patch' ? patchMediaTypes : objectMediaTypes,
    responses: responseCodes(route.action).map(([code, text]) => ({ code, description: text, schema: route.answer })),
    produces: objectMediaTypes,
    action: route.action,
    gvk: kindNames(served).gvk
  }
}

function responseCodes (action: Action): [number, string][] {
  switch (action) {
    case 'post': return [[200, 'OK'], [201, 'Created'], [202, 'Accepted']]
    case 'put': return [[200, 'OK'], [201, 'Created']]
    case 'delete': return [[200, 'OK'], [202, 'Accepted']]
    default: return [[200, 'OK']]
  }
}

function description ({ verb, subresource }: Route, kind: string): string {
  const part = subresource === undefined ? '' : ` ${subresource} of`
  switch (verb) {
    case 'list': return `list objects of kind ${kind}`
    case 'patch': return `partially update${part} the specified ${kind}`
    case 'read':
    case 'replace': return `${verb}${part} the specified ${kind}`
    case 'create':
    case 'delete': return `${verb}${article(kind)}${kind}`
    case 'deletecollection': return `delete collection of ${kind}`
  }
}

/** Nouns in -s, but not in -ss, are taken for plurals, as upstream takes them. */
const article = (noun: string): string => noun.endsWith('s') && !noun.endsWith('ss') ? ' ' : /^[aeiou]/i.test(noun) ? ' an ' : ' a '

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
