import type { Action, Parameter } from './parameters.js'
import type { GroupVersionKind, Schema } from './schema.js'

export type Method = 'get' | 'put' | 'post' | 'delete' | 'patch'

/** What a body or an answer holds: a schema by its name, or what is no kind of the API, by media type. */
export type Content = string | Readonly<Record<string, Schema>>

/** One operation, apart from how a document spells it. */
export interface Operation {
  readonly path: string
  readonly method: Method
  readonly operationId: string
  readonly tag: string
  readonly description: string
  readonly parameters: readonly Parameter[]
  readonly body?: { readonly schema: Content; readonly required: boolean }
  /** Media types of the request body. */
  readonly consumes: readonly string[]
  /** One without a schema has no body. */
  readonly responses: readonly { readonly code: number; readonly description: string; readonly schema?: Content }[]
  /** Media types of the answer. */
  readonly produces: readonly string[]
  readonly action?: Action
  readonly gvk?: GroupVersionKind
}

export const objectMediaTypes: readonly string[] = ['application/json', 'application/yaml']

/**
 * An identifier as upstream makes operation ids and tags: letters, digits and `_` stay, what follows anything else is capitalised.
 * Source: k8s.io/apiserver, ToValidOperationID.
 */
export function identifier (text: string, capitalizeFirst: boolean): string {
  let out = ''
  let capitalize = capitalizeFirst
  for (const [index, character] of [...text].entries()) {
    if (/[\p{L}_]/u.test(character) || (index > 0 && /\p{Nd}/u.test(character))) {
      out += capitalize ? character.toUpperCase() : character
      capitalize = false
    } else {
      capitalize = true
    }
  }
  return out
}

/** Operations by path, in sorted order, with the parameters that all of a path's operations share. */
export interface PathOperations { readonly path: string; readonly operations: readonly Operation[]; readonly shared: readonly Parameter[] }

export function byPath (operations: readonly Operation[]): PathOperations[] {
  const paths = new Map<string, Operation[]>()
  for (const operation of operations) paths.set(operation.path, [...paths.get(operation.path) ?? [], operation])
  return [...paths].sort(([a], [b]) => a < b ? -1 : 1).map(([path, found]) => {
    const [first, ...rest] = found
    const shared = (first?.parameters ?? []).filter(parameter => rest.every(other => other.parameters.some(its => sameParameter(its, parameter))))
    return { path, operations: found, shared: [...shared].sort((a, b) => a.name < b.name ? -1 : 1) }
  })
}

/** The parameters of an operation that its path does not state already. */
export const ownParameters = (operation: Operation, shared: readonly Parameter[]): Parameter[] =>
  operation.parameters.filter(parameter => !shared.some(its => sameParameter(its, parameter))).sort((a, b) => a.name < b.name ? -1 : 1)

const sameParameter = (a: Parameter, b: Parameter): boolean => a.name === b.name && a.in === b.in && a.description === b.description
