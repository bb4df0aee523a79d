import type { Answer, Call, Connection } from './connection.js'

/** What one case does in the load client. */
export interface LoadCase {
  readonly name: string
  /** What one operation is. */
  readonly unit: string
  /** Operations of the shortest round: cheap ones are repeated until a round is long enough to be measured (rounds.ts). */
  readonly operations: number
  /** Operations of the longest round, where more would not be the same. */
  readonly most?: number
  /** CPU time of the server before the first round, where it must be more than that of others. */
  readonly warmUpCpuMs?: number
  /** Everything that is not measured, before. Answers what is measured, and what is done afterwards. */
  readonly prepare: (scene: Scene) => Promise<{ readonly run: () => Promise<void>; readonly finish?: () => Promise<void> }>
}

export interface Scene {
  readonly connection: Connection
  /** Different for every run of a case. */
  readonly run: number
  readonly operations: number
  /** How many objects there are in the namespace that is read. */
  readonly stored: number
  /** Does an operation `operations` times, so many at once, and notes how long each took. */
  readonly many: (concurrency: number, operation: (i: number) => Promise<unknown>) => Promise<void>
  /** Notes the latency of one operation that the case times itself. */
  readonly note: (ms: number) => void
}

const group = '/apis/wardle.example.com/v1alpha1'
export const readCollection = `${group}/namespaces/default/flunders`
export const writeCollection = `${group}/namespaces/bench-writes/flunders`
export const storedName = (i: number): string => `f-${String(i).padStart(6, '0')}`
/** How many objects there are in the namespace that is read, where a case does not say otherwise. */
export const storedObjects = 2000

// Text that neither repeats itself nor changes from run to run.
let seed = 12345
const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) / 0x7fffffff
const word = (length: number): string => Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyz0123456789-'[Math.floor(random() * 37)]).join('')
const texts = Array.from({ length: 64 }, () => word(320))

/** A Flunder that is about 1 KB as it is stored, managedFields included. */
export function flunder (namespace: string, name: string, i: number, revision = 0): Record<string, unknown> & { metadata: Record<string, unknown>; spec: Record<string, unknown> } {
  return {
    apiVersion: 'wardle.example.com/v1alpha1',
    kind: 'Flunder',
    metadata: {
      name,
      namespace,
      labels: { app: `app-${i % 20}`, shard: `s${i % 10}`, tier: 'backend' },
      annotations: { 'wardle.example.com/note': texts[i % 64]!.slice(0, 100), 'wardle.example.com/revision': String(revision) }
    },
    spec: { reference: texts[(i * 7) % 64], referenceType: 'Flunder' }
  }
}

/** @throws Error unless the answer has the status */
export function expect (answer: Answer, ...statuses: number[]): Answer {
  if (!statuses.includes(answer.status)) throw new Error(`status ${answer.status}: ${Buffer.concat(answer.pieces).toString().slice(0, 300)}`)
  return answer
}

export const parse = (answer: Answer): unknown => JSON.parse(Buffer.concat(answer.pieces).toString())
export const json = { 'content-type': 'application/json' }

export const post = (namespace: string, name: string, i: number): Call => ({ method: 'POST', path: `${group}/namespaces/${namespace}/flunders`, headers: json, body: JSON.stringify(flunder(namespace, name, i)) })

export async function createMany ({ connection }: Pick<Scene, 'connection'>, names: readonly string[], namespace: string): Promise<void> {
  await inParallel(names.length, 32, async i => { expect(await connection.call(post(namespace, names[i]!, i)), 201, 409) })
}

export async function deleteMany ({ connection }: Pick<Scene, 'connection'>, names: readonly string[]): Promise<void> {
  await inParallel(names.length, 32, async i => { expect(await connection.call({ method: 'DELETE', path: `${writeCollection}/${names[i]!}` }), 200, 404) })
}

/** Runs an operation `count` times, so many at once. */
export async function inParallel (count: number, concurrency: number, operation: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  await Promise.all(Array.from({ length: concurrency }, async () => { while (next < count) await operation(next++) }))
}

/** Creates the objects with the numbers from `from` up to, but not with, `to` in the namespace that is read. */
export async function seedObjects (connection: Connection, from: number, to: number): Promise<void> {
  await inParallel(to - from, 64, async i => { expect(await connection.call(post('default', storedName(from + i), from + i), i % 2), 201, 409) })
}
