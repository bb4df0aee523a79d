import { createHash } from 'node:crypto'

/**
 * The hash by which clients see that the storage version changed: the first 8 bytes of SHA-256 over `group/version/Kind`, in base64.
 * Source: k8s.io/apiserver's discovery.
 */
export function storageVersionHash (group: string, version: string, kind: string): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64')
}
