import { isDns1123Label, isDns1123Subdomain } from '../../registry/meta/names.js'

const prefix = 'system:serviceaccount:'

/** The namespace and name in a service account's user name; undefined for any other user (k8s.io/apiserver `serviceaccount.SplitUsername`). */
export function serviceAccountOf (username: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!username.startsWith(prefix)) return undefined
  const [namespace, name, ...rest] = username.slice(prefix.length).split(':') as [string, ...string[]]
  if (name === undefined || rest.length > 0 || isDns1123Label(namespace).length > 0 || isDns1123Subdomain(name).length > 0) return undefined
  return { namespace, name }
}

/** The groups that every service account of a namespace has. */
export const serviceAccountGroups = (namespace: string): string[] => ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]

/** The name of the node in a kubelet's user name. */
export function nodeOf (username: string): string | undefined {
  const name = username.startsWith('system:node:') ? username.slice('system:node:'.length) : ''
  return name === '' || isDns1123Subdomain(name).length > 0 ? undefined : name
}
