import { FileWatcher } from '../../certs/file-watcher.js'
import { ConfigFileError, LazySchema, parseYamlDocuments, readConfigFile, type ConfigFileProblem } from '../options/config-file.js'
import type { Attributes, AuthorizationResult, Authorizer } from './interfaces.js'
import { defaultRbacObjects } from './rbac-defaults.js'
import { rbacProblems, rbacSchemas, type RbacObject } from './rbac-objects.js'
import { RbacPolicy } from './rbac.js'

export interface PolicyFileOptions {
  /** `--authorization-policy-file`; absent: only what every cluster grants by default. */
  readonly file?: string | undefined
  /** A changed file that cannot be used; the rules of before stay. */
  readonly onError?: ((error: ConfigFileError) => void) | undefined
  /** The rules of a changed file are in force. */
  readonly onReload?: (() => void) | undefined
  readonly pollIntervalMs?: number | undefined
  readonly settleMs?: number | undefined
}

/**
 * Authorizes by the RBAC objects of a file: Role, ClusterRole, RoleBinding and ClusterRoleBinding manifests of
 * rbac.authorization.k8s.io/v1, unchanged, any number of YAML documents, also as `kind: List`. The default roles and bindings of a
 * cluster come before them; an object of the same kind and name replaces a default.
 */
export class PolicyFileAuthorizer implements Authorizer {
  readonly #options: PolicyFileOptions
  #policy: RbacPolicy
  #watcher: FileWatcher | undefined

  private constructor (options: PolicyFileOptions, policy: RbacPolicy) {
    this.#options = options
    this.#policy = policy
  }

  /**
   * Reads the file and follows it from then on.
   * @throws ConfigFileError with everything that is wrong in it
   */
  static async open (options: PolicyFileOptions): Promise<PolicyFileAuthorizer> {
    const { file } = options
    if (file === undefined) return new PolicyFileAuthorizer(options, new RbacPolicy(defaultRbacObjects))
    const authorizer = new PolicyFileAuthorizer(options, await policyOf(await readConfigFile(file), file))
    authorizer.#watcher = new FileWatcher({
      files: [file],
      onChange: contents => authorizer.#reload(contents.get(file), file),
      onError: error => { options.onError?.(error instanceof ConfigFileError ? error : unreadable(file, error)) },
      ...(options.pollIntervalMs !== undefined && { pollIntervalMs: options.pollIntervalMs }),
      ...(options.settleMs !== undefined && { settleMs: options.settleMs })
    })
    await authorizer.#watcher.start()
    return authorizer
  }

  async authorize (attributes: Attributes): Promise<AuthorizationResult> {
    return this.#policy.decide(attributes)
  }

  /** Looks for a change now. Resolves when it is in force or reported. */
  async check (): Promise<void> {
    await this.#watcher?.check()
  }

  async close (): Promise<void> {
    await this.#watcher?.close()
  }

  async #reload (text: string | undefined, file: string): Promise<void> {
    if (text === undefined) throw unreadable(file)
    this.#policy = await policyOf(text, file)
    this.#options.onReload?.()
  }
}

const policyOf = async (text: string, file: string): Promise<RbacPolicy> => new RbacPolicy([...defaultRbacObjects, ...await parseRbacObjects(text, file)])

const unreadable = (file: string, cause?: unknown): ConfigFileError =>
  new ConfigFileError(file, [{ document: -1, field: '', message: cause === undefined ? 'cannot be read' : String(cause) }], { cause })

const kinds = ['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'] as const
const listKinds = new Set(['List', ...kinds.map(kind => `${kind}List`)])

/**
 * The RBAC objects of a YAML text.
 * @throws ConfigFileError naming file, document and field of everything that is wrong
 */
export async function parseRbacObjects (text: string, file: string): Promise<RbacObject[]> {
  const schemas = new Map<string, LazySchema<RbacObject>>()
  const objects: RbacObject[] = []
  const problems: ConfigFileProblem[] = []
  const seen = new Map<string, number>()

  const add = async (value: unknown, document: number, prefix: string): Promise<void> => {
    const kind = (value as { kind?: unknown } | null)?.kind
    if (typeof kind !== 'string' || !(kinds as readonly string[]).includes(kind)) {
      problems.push({ document, field: join(prefix, 'kind'), message: `Unsupported value: ${JSON.stringify(kind ?? '')}: supported values: ${kinds.map(k => JSON.stringify(k)).join(', ')}` })
      return
    }
    let schema = schemas.get(kind)
    if (schema === undefined) schemas.set(kind, schema = new LazySchema<RbacObject>(rbacSchemas[kind as RbacObject['kind']]))
    const wrong = await schema.problems(value, document, prefix)
    problems.push(...wrong)
    if (wrong.length > 0) return
    const object = withNamespace(value as RbacObject)
    problems.push(...rbacProblems(object).map(p => ({ document, field: join(prefix, p.field), message: p.message })))
    const id = `${kind} ${object.metadata.namespace === undefined ? '' : `${object.metadata.namespace}/`}${object.metadata.name}`
    const first = seen.get(id)
    if (first !== undefined) problems.push({ document, field: join(prefix, 'metadata.name'), message: `Duplicate value: ${id} is already in document ${first}` })
    seen.set(id, document)
    objects.push(object)
  }

  for (const { document, value } of await parseYamlDocuments(text, file)) {
    const list = value as { kind?: unknown; items?: unknown }
    if (typeof list.kind === 'string' && listKinds.has(list.kind) && Array.isArray(list.items)) {
      for (const [i, item] of list.items.entries()) await add(item, document, `items[${i}]`)
    } else {
      await add(value, document, '')
    }
  }
  if (problems.length > 0) throw new ConfigFileError(file, problems)
  return objects
}

/** kubectl would send a manifest without a namespace to `default`, and ignores the namespace of a cluster-scoped object. */
function withNamespace (object: RbacObject): RbacObject {
  const namespaced = object.kind === 'Role' || object.kind === 'RoleBinding'
  const { namespace, ...rest } = object.metadata
  return { ...object, metadata: namespaced ? { ...rest, namespace: namespace ?? 'default' } : rest } as RbacObject
}

const join = (prefix: string, field: string): string => prefix === '' ? field : field === '' ? prefix : `${prefix}.${field}`
