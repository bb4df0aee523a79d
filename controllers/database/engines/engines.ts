import type { EngineName } from '../model.js'
import type { Engine } from './engine.js'
import { mongodb } from './mongodb.js'
import { mysql } from './mysql.js'
import { postgresql } from './postgresql.js'

export const engines: Readonly<Record<EngineName, Engine>> = { postgresql, mysql, mongodb }

/** The image of an engine's version, or undefined where the version is no tag. */
export function imageOf (engine: Engine, version: string, registry: string): string | undefined {
  const tag = engine.tag(version)
  return /^\w[\w.-]{0,127}$/.test(tag) ? `${registry}/${engine.repository}:${tag}` : undefined
}
