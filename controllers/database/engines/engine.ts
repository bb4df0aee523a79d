import type { Problem } from '../../children/problem.js'

// Parts of a pod, in the API's own words.
export interface EnvVar { readonly name: string; readonly value?: string; readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } } | { readonly fieldRef: { readonly fieldPath: string } } }
export interface VolumeMount { readonly name: string; readonly mountPath: string; readonly subPath?: string; readonly readOnly?: boolean }
export interface Volume { readonly name: string; readonly [source: string]: unknown }
export interface Probe { readonly [field: string]: unknown }
export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly command?: readonly string[]
  readonly env: readonly EnvVar[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly protocol: 'TCP' }[]
  readonly volumeMounts?: readonly VolumeMount[]
  readonly [field: string]: unknown
}

/** What operating one database engine by its official image takes. */
export interface Engine {
  /** Of the official image, in a registry's `library`. */
  readonly repository: string
  /** The image's tag of a version that a Database names. */
  tag (version: string): string
  readonly port: number
  /** The superuser that the image makes at its first start. */
  readonly user: string
  /** Beside the image: how the server is started. Its data are the volume `data`, its settings the volume `config`. */
  container (credentials: CredentialsSource): Pick<Container, 'args' | 'env'> & { readonly volumeMounts: readonly VolumeMount[] }
  readonly probes: { readonly startupProbe: Probe; readonly readinessProbe: Probe; readonly livenessProbe: Probe }
  /** Directories that the server writes beside its data: the root file system is read-only. */
  readonly scratch: readonly string[]
  /** Shared memory beyond the container runtime's 64 MiB. */
  readonly sharedMemory?: string
  /** The settings file, or why it cannot be made of the settings. */
  configFile (settings: Readonly<Record<string, string>>): { readonly name: string; readonly text: string } | Problem
  /** Bash that writes a compressed dump of everything to standard output. `$HOST` is the server's. */
  readonly dump: { readonly script: string; readonly extension: string; env (credentials: CredentialsSource): readonly EnvVar[] }
  /** Why a data directory of one version cannot be opened by another. */
  upgradeProblem (from: string, to: string): string | undefined
  /** A Prometheus exporter of connections and queries, to run beside the server. */
  readonly exporter: { readonly image: string; readonly port: number; readonly args?: readonly string[]; env (credentials: CredentialsSource): readonly EnvVar[] }
}

/** The Secret of the superuser. */
export interface CredentialsSource { readonly secretName: string }

/** A variable whose value only the Secret and the container see. */
export const fromSecret = (name: string, { secretName }: CredentialsSource, key: 'username' | 'password'): EnvVar => ({ name, valueFrom: { secretKeyRef: { name: secretName, key } } })
