import type { ServerName } from './servers.js'

/** What of a case is held against a target. */
export type Quantity =
  /** CPU time against Go's; of the embedded store against Go's and its etcd's. */
  | 'CPU ratio'
  /** Resident memory against Go's. */
  | 'memory ratio'
  | 'operations a second'
  | 'seconds'
  /** CPU at 100,000 objects against that at 1,000. */
  | 'growth'
  | 'failures'

export interface Target {
  readonly case: string
  readonly server: ServerName
  readonly quantity: Quantity
  readonly bound: { readonly most: number } | { readonly least: number }
  /** Where hack/bench/README.md says why it is missed, if it is: a paragraph that begins so, in bold. */
  readonly explained?: string
}

const cpu = (server: ServerName, most: number, cases: readonly string[], explained?: string): Target[] =>
  cases.map(name => ({ case: name, server, quantity: 'CPU ratio', bound: { most }, ...(explained !== undefined && { explained }) }))

const third = 1 / 3

/** The targets of the comparison, as they were set. */
export const targets: readonly Target[] = [
  ...cpu('etcd', third, ['get HTTP/2'], 'A get on etcd'),
  ...cpu('etcd', third, ['get HTTP/1.1'], 'HTTP/1.1'),
  ...cpu('embedded', 0.2, ['get HTTP/2']),
  ...cpu('embedded', 0.2, ['get HTTP/1.1'], 'HTTP/1.1'),
  ...cpu('etcd', 0.2, ['list 500', 'list all', 'list as Table', 'list by label', 'paged list'], 'Lists'),
  ...cpu('etcd', 0.5, ['watch, 300 watchers', 'watch, 3,000 watchers'], 'A watch event'),
  ...cpu('etcd', 0.8, ['create', 'create, 64 writers', 'update'], 'Writes'),
  ...cpu('etcd', 0.7, ['merge patch', 'apply'], 'Writes'),
  ...cpu('embedded', 0.5, ['create', 'create, 64 writers', 'update', 'merge patch', 'apply'], 'Writes'),
  { case: 'create, 64 writers', server: 'embedded', quantity: 'operations a second', bound: { least: 5000 }, explained: '5,000 creates a second' },
  { case: 'cold start to ready', server: 'embedded', quantity: 'seconds', bound: { most: 0.5 }, explained: 'The start' },
  { case: 'memory, 20,000 objects', server: 'etcd', quantity: 'memory ratio', bound: { most: 0.5 }, explained: 'Memory' },
  { case: 'memory, 20,000 objects', server: 'embedded', quantity: 'memory ratio', bound: { most: 0.5 }, explained: 'Memory' },
  // A constant cost, as far as two measurements of the same cost agree on a machine with other users.
  ...(['etcd', 'embedded'] as const).flatMap(server => ['get HTTP/2', 'watch, 300 watchers'].map((name): Target => (
    { case: `${name}: 100,000 objects / 1,000`, server, quantity: 'growth', bound: { most: 1.25 }, explained: 'More objects' }
  ))),
  ...(['etcd', 'embedded'] as const).map((server): Target => ({ case: 'scale: 100,000 objects, 5,000 watchers', server, quantity: 'failures', bound: { most: 0 } }))
]

/** The targets of a line of the table. */
export const targetsOf = (name: string, server: ServerName): readonly Target[] => targets.filter(t => t.case === name && t.server === server)

export const isMet = ({ bound }: Target, value: number): boolean => 'most' in bound ? value <= bound.most : value >= bound.least

/** `≤ 0.33`, `≥ 5000/s`. */
export function describeTarget ({ bound, quantity }: Target): string {
  const unit = quantity === 'seconds' ? ' s' : quantity === 'operations a second' ? '/s' : quantity === 'memory ratio' ? ' RSS' : ''
  return 'most' in bound ? `≤ ${Number(bound.most.toFixed(2))}${unit}` : `≥ ${bound.least}${unit}`
}

/** `met`, or `missed` with what was reached and where that is explained. */
export function verdict (target: Target, value: number): string {
  if (isMet(target, value)) return 'met'
  const bound = 'most' in target.bound ? target.bound.most : target.bound.least
  // The table shows ratios itself; one that it would round to the target is told more exactly.
  const shown = (target.quantity === 'CPU ratio' || target.quantity === 'growth') && value.toFixed(2) !== bound.toFixed(2)
  const reached = shown ? '' : ` (${Number(value.toFixed(value < 10 ? 3 : 0))})`
  return `missed${reached}${target.explained === undefined ? '' : `: README "${target.explained}"`}`
}
