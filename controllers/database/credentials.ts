import { randomBytes } from 'node:crypto'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { problemOfRefusal, type Problem } from '../children/problem.js'
import { isAlreadyExists } from '../client/errors.js'
import type { RequestContext, ResourceClient } from '../client/interfaces.js'
import { claimData, find } from './data-ownership.js'
import { engines } from './engines/engines.js'
import type { DatabaseModel } from './model.js'
import { fieldManager, type DatabaseNames } from './names.js'
import type { DatabaseSettings } from './settings.js'

export interface CredentialsInputs {
  readonly names: DatabaseNames
  readonly model: DatabaseModel
  readonly settings: DatabaseSettings
  /** Whether volumes were initialised with credentials already. */
  readonly hasData: boolean
}

/**
 * Makes the superuser's Secret, once: what exists is never changed, and what was lost while volumes depend on it is not replaced by something
 * that does not open them. The password is known to nobody but the Secret.
 * @returns what is in the way
 */
export async function ensureCredentials (secrets: ResourceClient<KubeObject>, { names, model, settings, hasData }: CredentialsInputs, { signal }: RequestContext): Promise<Problem | undefined> {
  const id = { namespace: names.namespace, name: names.credentials }
  let present = await find(secrets, id, { signal })
  if (present === undefined) {
    if (hasData) return { reason: 'CredentialsLost', message: `Secret ${JSON.stringify(id.name)} is gone, but the volumes were initialised with its password: restore it with its labels, among them ${names.uidLabel}: ${names.uid}` }
    try {
      await secrets.create(newSecret(names, model), { fieldManager, signal })
      return undefined
    } catch (error) {
      if (!isAlreadyExists(error)) {
        const problem = problemOfRefusal(error, `Secret ${JSON.stringify(id.name)}`)
        if (problem === undefined) throw error
        return problem
      }
      present = await find(secrets, id, { signal })
    }
  }
  if (present === undefined) return { reason: 'NameTaken', message: `Secret ${JSON.stringify(id.name)} comes and goes; it is looked at again` }
  return await claimData(secrets, present, names, settings, { signal })
}

/** 192 random bits, in characters that no shell, URI or client has to quote. */
const newPassword = (): string => randomBytes(24).toString('hex')

function newSecret (names: DatabaseNames, { engine }: DatabaseModel): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: names.credentials, namespace: names.namespace, labels: names.labels(engine, 'database'), annotations: { ...names.annotations } },
    type: 'kubernetes.io/basic-auth',
    stringData: { username: engines[engine].user, password: newPassword(), host: `${names.base}.${names.namespace}.svc`, port: String(engines[engine].port) }
  }
}
