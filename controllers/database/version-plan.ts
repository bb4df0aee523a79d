import type { Problem } from '../children/problem.js'
import type { StatefulSet } from './desired-stateful-set.js'
import { engines, imageOf } from './engines/engines.js'
import type { DatabaseModel } from './model.js'

export interface VersionPlan {
  /** Of the servers; undefined if the version is no image's tag and nothing runs. */
  readonly image: string | undefined
  readonly problem?: Problem | undefined
}

/** Which image to run: the wanted one, unless it could not open the data that the present one has written. */
export function planVersion ({ engine: name, version }: DatabaseModel, statefulSet: StatefulSet | undefined, registry: string): VersionPlan {
  const engine = engines[name]
  const wanted = imageOf(engine, version, registry)
  const present = statefulSet?.spec?.template?.spec?.containers?.find(c => c.name === 'database')?.image
  if (wanted === undefined) return { image: present, problem: { reason: 'InvalidVersion', message: `spec.version ${JSON.stringify(version)} is no tag of the image ${engine.repository}` } }
  if (present === undefined) return { image: wanted }
  const tag = present.slice(present.lastIndexOf(':') + 1)
  const refusal = engine.upgradeProblem(tag, engine.tag(version))
  return refusal === undefined ? { image: wanted } : { image: present, problem: { reason: 'UpgradeNotSupported', message: `${refusal}. The database keeps running ${tag}` } }
}
