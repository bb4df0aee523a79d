import type { Installation } from '../installation.js'
import { labels } from '../names.js'
import type { Manifest } from './manifest.js'

/**
 * The namespace, under Pod Security *restricted*. The host network is only allowed under *privileged*, which is the price of
 * `--host-network`.
 */
export function namespace ({ namespace: name, hostNetwork }: Installation): Manifest {
  const level = hostNetwork ? 'privileged' : 'restricted'
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: { ...labels(), ...Object.fromEntries(['enforce', 'audit', 'warn'].map(mode => [`pod-security.kubernetes.io/${mode}`, level])) }
    }
  }
}
