import { compareUtf8 } from '../../registry/codec/json-print.js'
import { goQuote } from '../../registry/meta/go-format.js'
import { ApplyError } from './errors.js'
import { identityOf, type ManagerId } from './managers.js'
import { formatPath, type Path } from './path-element.js'

/** A field that an applier wants another value for than the manager that owns it gave it. */
export interface Conflict {
  readonly manager: ManagerId
  readonly path: Path
}

/** A cause of the 409, as `metav1.StatusCause` has it; kubectl reads them. */
export interface ConflictCause {
  readonly reason: 'FieldManagerConflict'
  readonly message: string
  readonly field: string
}

/**
 * An apply that would change fields of others without force: answered with 409, reason Conflict, these causes and this message.
 * Source: apimachinery, `managedfields/internal/conflict.go`.
 */
export class ApplyConflict extends ApplyError {
  override readonly name = 'ApplyConflict'
  /** By manager, then in the order of the fields. */
  readonly conflicts: readonly Conflict[]

  constructor (conflicts: readonly Conflict[]) {
    super(conflictMessage(conflicts))
    this.conflicts = conflicts
  }

  get causes (): ConflictCause[] {
    return this.conflicts.map(c => ({ reason: 'FieldManagerConflict', message: `conflict with ${managerText(c.manager)}`, field: formatPath(c.path) }))
  }
}

function conflictMessage (conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (conflicts.length === 1 && first !== undefined) return `Apply failed with 1 conflict: conflict with ${managerText(first.manager)}: ${formatPath(first.path)}`
  const managers = [...new Set(conflicts.map(c => c.manager))].sort(compareUtf8)
  const lines = managers.flatMap(m => [`conflicts with ${managerText(m)}:`, ...conflicts.filter(c => c.manager === m).map(c => `- ${formatPath(c.path)}`)])
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}

/** `"name"`, `"name" with subresource "status"`, and for updates ` using group/version`. */
function managerText (id: ManagerId): string {
  const { manager, operation, apiVersion, subresource } = identityOf(id)
  return goQuote(manager) + (subresource === '' ? '' : ` with subresource ${goQuote(subresource)}`) + (operation === 'Update' ? ` using ${apiVersion}` : '')
}
