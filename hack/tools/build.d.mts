/** A binary that the end-to-end tests run. */
export interface Tool {
  readonly name: ToolName
  readonly path: string
  /** `1.36.3` */
  readonly version: string
  readonly source: 'KUBEBUILDER_ASSETS' | 'PATH' | 'cache'
}

export type ToolName = 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubectl' | 'sample-apiserver' | 'etcd' | 'prometheus'

export const toolNames: readonly ToolName[]

/** Where built tools are kept: outside the tree, keyed by version. */
export function toolsDirectory (): string

/** The tool of a name, or undefined; `rejected` takes a text for each that was found and is too old. */
export function findTool (name: ToolName, rejected?: string[]): Tool | undefined

/** Builds the tools that findTool does not find, one process at a time on this machine. Rejects with a message for a person. */
export function buildTools (names: readonly ToolName[], log?: (text: string) => void): Promise<void>
